"""The dashboard and the status API."""
