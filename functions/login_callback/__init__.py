"""The redirect URL: starts a login, ends it, logs out."""
