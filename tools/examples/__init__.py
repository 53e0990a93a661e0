"""Programs that a user may start from: unmodified Kite clients on the relay."""
