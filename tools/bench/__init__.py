"""Benchmarks: ratios against a peer or the physical limit, measured in the same run."""

NAMES = ("coldstart", "handover", "market", "page", "relay")
"""Those to be run by name; what else is here helps them."""
