"""Kite's binary frames. Source: https://kite.trade/docs/connect/v3/websocket/#message-structure."""

from enum import StrEnum


class Mode(StrEnum):
    """How much of an instrument a client wants, from least to most."""

    LTP = "ltp"
    QUOTE = "quote"
    FULL = "full"

    @property
    def rank(self) -> int:
        """Order the modes: a packet of a higher mode holds all that a lower one holds."""
        return ("ltp", "quote", "full").index(self.value)
