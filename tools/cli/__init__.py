"""The `kite-relay` command line."""
