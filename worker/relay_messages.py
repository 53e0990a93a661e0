"""The text frames of Kite's protocol: what the relay tells its clients, and to whom it passes on what Kite tells."""

import json
from collections.abc import Mapping

from kite_relay.domain.relay_keys import Scope


def error_text(sentence: str) -> str:
    """Write an error as Kite does: the official clients hand it to `on_error` and stay connected."""
    return json.dumps({"type": "error", "data": sentence})


def audience(text: str) -> Scope | None:
    """Tell which scope a text frame of Kite's is for; None: it is passed to nobody.

    Order updates are the account's private affairs. A text that is no object would make the Python client leave,
    and what no official client knows is none of theirs.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    kind = message.get("type") if isinstance(message, Mapping) else None
    if kind == "order":
        return Scope.ORDERS
    return Scope.TICKS if kind in ("error", "message") else None
