"""What the functions read of a request in the same way: headers, cookies, where we are, and who sent it."""

from collections.abc import Mapping
from typing import Any

from kite_relay.usecases.owner_session import COOKIE

MAX_SECRET = 512
"""Neither a session nor a key is longer: nothing longer is hashed."""


def header(event: Mapping[str, Any], name: str) -> str:
    """Give a header by its lower-case name; empty when there is none."""
    headers = event.get("headers") or {}
    return str(next((value for key, value in headers.items() if key.lower() == name), ""))


def cookies_of(event: Mapping[str, Any]) -> list[str]:
    """Give the request's cookies, `name=value` each: API Gateway takes them out of the headers into a list."""
    return [str(cookie).strip() for cookie in event.get("cookies") or ()]


def session_of(event: Mapping[str, Any]) -> str:
    """Give the owner's session cookie; empty when there is none, or more than one."""
    named = (cookie.partition("=") for cookie in cookies_of(event))
    values = [value.strip() for name, _, value in named if name.strip() == COOKIE]
    return values[0] if len(values) == 1 and len(values[0]) <= MAX_SECRET else ""


def bearer_of(event: Mapping[str, Any]) -> str:
    """Give the relay key of the `Authorization` header; empty when there is none."""
    scheme, _, key = header(event, "authorization").partition(" ")
    key = key.strip()
    return key if scheme.lower() == "bearer" and len(key) <= MAX_SECRET else ""


def origin_of(event: Mapping[str, Any]) -> str:
    """Give our own origin, as API Gateway knows it: no header that a client can set decides it.

    Only an emulator on this machine has no name of its own. There, and only there, the proxy before it says what the
    browser calls us, and only names of this machine are believed.
    """
    name = _own_name(event)
    if not _local(name):
        return f"https://{name}"
    told = (header(event, "x-forwarded-host"), header(event, "host"))
    return f"http://{next((host for host in told if _local(host)), name)}"


def same_origin(event: Mapping[str, Any]) -> bool:
    """Tell whether a page of ours sent this request.

    Browsers say so in Sec-Fetch-Site, which no page can forge; older ones name the page's origin, which is compared
    with the name that API Gateway was reached by.
    """
    site, named = header(event, "sec-fetch-site"), header(event, "origin")
    return site == "same-origin" if site else _own_name(event) != "" and named == origin_of(event)


def _own_name(event: Mapping[str, Any]) -> str:
    return str((event.get("requestContext") or {}).get("domainName") or "")


def _local(host: str) -> bool:
    name, _, port = host.partition(":")
    return (name in {"localhost", "127.0.0.1"} or name.endswith(".localhost")) and (port.isdecimal() or not port)
