"""The ports that the tools take on this machine: one block, moved as a whole."""

import os

from kite_relay.domain.errors import ConfigurationError

DEFAULT_BASE = 4600
BLOCK = 10
"""Ports from the base on that a stack may take."""
LOWEST, HIGHEST = 1024, 65535 - BLOCK


def port_base() -> int:
    """Tell where the block begins: KITE_RELAY_PORT_BASE, or 4600.

    Raises:
        ConfigurationError: it is no port that a block fits behind.
    """
    text = os.environ.get("KITE_RELAY_PORT_BASE") or str(DEFAULT_BASE)
    if text.isdecimal() and LOWEST <= int(text) <= HIGHEST:
        return int(text)
    raise ConfigurationError(f"KITE_RELAY_PORT_BASE must be a number from {LOWEST} to {HIGHEST}, not {text!r}")
