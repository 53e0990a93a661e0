"""Looks for the secrets of tests/fakes/canaries.py in all that the suite and its child processes say, show and keep."""
