"""The Lambda functions: parse, wire, translate - nothing else."""
