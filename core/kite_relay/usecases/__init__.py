"""What may be asked of the system: ports in, result out."""
