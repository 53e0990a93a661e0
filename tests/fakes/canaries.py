"""Searches what a program said, showed and kept for secrets, in every form that they may take."""

import base64
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

NOTHING_SHORTER = 8


def forms(secret: str) -> Iterator[bytes]:
    """Write a secret as a log, a URL, a header or a dump may show it; its first 8 characters give it away too."""
    raw = secret.encode()
    yield from (raw, raw[:NOTHING_SHORTER], quote(secret, safe="").encode(), quote_plus(secret).encode())
    yield from (raw.hex().encode(), raw.hex().upper().encode())
    for lead in range(3):
        inner = base64.b64encode(bytes(lead) + raw)[4:-4]
        yield from (inner, inner.replace(b"+", b"-").replace(b"/", b"_"))


def hits(places: dict[str, bytes], secrets: dict[str, str]) -> list[tuple[str, str]]:
    """List which secret stands in which place."""
    return [
        (where, name)
        for where, found in places.items()
        for name, secret in secrets.items()
        if any(form in found for form in forms(secret))
    ]
