"""What the functions read of a request in the same way."""

from collections.abc import Mapping
from typing import Any


def cookies_of(event: Mapping[str, Any]) -> list[str]:
    """Give the request's cookies, `name=value` each.

    API Gateway takes them out of the headers into a list of their own; an emulator may leave them where they were.
    Both are the client's own word, so neither is trusted more.
    """
    given = event.get("cookies")
    if given:
        return [str(cookie) for cookie in given]
    headers = event.get("headers") or {}
    line = next((value for name, value in headers.items() if name.lower() == "cookie"), "")
    return [cookie.strip() for cookie in str(line).split(";") if cookie.strip()]
