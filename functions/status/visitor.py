"""Who asks, and from where. Nothing that a client could forge decides what it may see."""

from collections.abc import Mapping
from typing import Any

from functions.web.request import cookies_of, header
from kite_relay.usecases.owner_session import COOKIE

_MAX_SECRET = 512
"""Neither a session nor a key is longer: nothing longer is hashed."""


def session_of(event: Mapping[str, Any]) -> str:
    """Give the owner's session cookie; empty when there is none, or more than one."""
    values = [
        value.strip()
        for cookie in cookies_of(event)
        for name, _, value in [cookie.partition("=")]
        if name.strip() == COOKIE
    ]
    return values[0] if len(values) == 1 and len(values[0]) <= _MAX_SECRET else ""


def bearer_of(event: Mapping[str, Any]) -> str:
    """Give the relay key of the `Authorization` header; empty when there is none."""
    scheme, _, key = header(event, "authorization").partition(" ")
    key = key.strip()
    return key if scheme.lower() == "bearer" and len(key) <= _MAX_SECRET else ""
