"""Who asks, and from where. Nothing that a client could forge decides what it may see."""

from collections.abc import Mapping
from typing import Any

OWNER_COOKIE = "__Host-kr-owner"
"""Set by a successful login; its hash stands on the board."""
_MAX_SECRET = 512
"""Neither a session nor a key is longer: nothing longer is hashed."""


def session_of(event: Mapping[str, Any]) -> str:
    """Give the owner's session cookie; empty when there is none, or more than one."""
    values = [
        value.strip()
        for cookie in event.get("cookies") or ()
        for name, _, value in [cookie.partition("=")]
        if name.strip() == OWNER_COOKIE
    ]
    return values[0] if len(values) == 1 and len(values[0]) <= _MAX_SECRET else ""


def bearer_of(event: Mapping[str, Any]) -> str:
    """Give the relay key of the `Authorization` header; empty when there is none."""
    scheme, _, key = _header(event, "authorization").partition(" ")
    key = key.strip()
    return key if scheme.lower() == "bearer" and len(key) <= _MAX_SECRET else ""


def origin_of(event: Mapping[str, Any]) -> str:
    """Give our own origin, as API Gateway knows it.

    The `Host` header counts only where API Gateway is an emulator on this machine, which has no name of its own.
    """
    name = str(event.get("requestContext", {}).get("domainName", ""))
    if _local(name):
        host = _header(event, "host") or name
        return f"http://{host if _local(host) else name}"
    return f"https://{name}"


def same_origin(event: Mapping[str, Any]) -> bool:
    """Tell whether a page of ours sent this request: a browser says so, and a script elsewhere cannot pretend."""
    return _header(event, "origin") == origin_of(event)


def _local(host: str) -> bool:
    name = host.rsplit(":", 1)[0] if not host.startswith("[") else host
    return name in {"localhost", "127.0.0.1"} or name.endswith(".localhost")


def _header(event: Mapping[str, Any], name: str) -> str:
    headers = event.get("headers") or {}
    return str(next((value for key, value in headers.items() if key.lower() == name), ""))
