"""Fakes of the ports that can be fast-forwarded."""
