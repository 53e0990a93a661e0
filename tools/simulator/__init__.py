"""A Kite that can be trusted, and told to misbehave."""
