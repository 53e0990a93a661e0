"""The one vocabulary of every secret in the tests, and the search for it in all that comes out of them.

Each secret begins with `HEAD` and three letters of its own. So one search for `HEAD`, in each form that a log, a URL, a
header or a dump may show it in, finds every secret whole, by its first 8 characters, or inside something encoded; and
blanking what begins like one secret blanks no other. What cannot be chosen, because it is computed, is known by its
shape. `tests/watch` draws what the product makes by chance from the same vocabulary.
"""

import base64
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus
from zlib import crc32

HEAD = os.environ.get("CANARY_HEAD", "CaNrY")
LENGTH = 32
NOTHING_SHORTER = 8


def canary(kind: str, number: int = 1) -> str:
    """Give a secret: 32 letters and digits that tell what it is."""
    own = format(crc32(f"{kind}{number}".encode()) & 0xFFF, "03x")
    return HEAD + own + kind + str(number).zfill(LENGTH - NOTHING_SHORTER - len(kind))


def access_token(number: int = 1) -> str:
    """Give an access token."""
    return canary("AccessToken", number)


API_SECRET = canary("ApiSecret")
RELAY_KEY = "kr_" + canary("RelayKey")
TICKET_KEY = "kk_" + canary("TicketKey")
SESSION = canary("OwnerSession") + "0" * 11  # the 43 characters of a session, else nobody looks it up


def forms(secret: str) -> Iterator[bytes]:
    """Write a secret as a log, a URL, a header or a dump may show it; its first 8 characters give it away too."""
    raw = secret.encode()
    yield from (raw, raw[:NOTHING_SHORTER], quote(secret, safe="").encode(), quote_plus(secret).encode())
    yield from (raw.hex().encode(), raw.hex().upper().encode())
    for lead in range(3):
        first, last = -(-lead * 8 // 6), (lead + len(raw)) * 8 // 6  # what the neighbours have no part in
        inner = base64.b64encode(bytes(lead) + raw)[first:last]
        yield from (inner, inner.replace(b"+", b"-").replace(b"/", b"_"))


def hits(places: dict[str, bytes], secrets: dict[str, str]) -> list[tuple[str, str]]:
    """List which secret stands in which place."""
    return [
        (where, name)
        for where, found in places.items()
        for name, secret in secrets.items()
        if any(form in found for form in forms(secret))
    ]


_NEEDLES = tuple(dict.fromkeys(forms(HEAD)))
_KIND = re.compile(rb"%s[A-Za-z0-9_-]{3}([A-Za-z]*)" % HEAD.encode())
_STATE = re.compile(rb"v1\.[A-Za-z0-9_-]{22}\.[0-9]{9,12}\.[A-Za-z0-9_-]{43}")

ALLOWED = {
    ("AWS PutParameter", "AccessToken"),
    ("AWS PutParameter", "Kite"),
    ("AWS PutParameter", "ApiSecret"),
    ("AWS PutItem", "worker"),  # the key that tickets are signed with
    ("AWS's answer to BatchGetItem", "worker"),
    ("AWS's answer to GetParameter", "AccessToken"),
    ("AWS's answer to GetParameter", "Kite"),
    ("AWS's answer to GetParameter", "ApiSecret"),
    ("AWS's answer to GetParameter", "encoded"),  # what MiniStack gives in place of a cipher's text
    ("the file .env.board", "worker"),  # the same as in PutItem
    ("the file .env.board-journal", "worker"),
    ("the file bot.py", "RelayKey"),  # the README's three lines
    ("the page /login", "State"),
    ("the page /api/feed-ticket", "encoded"),  # what a ticket begins with was drawn by chance
    ("the page /session/token", "Kite"),  # the simulated Kite's own
    ("the page /sim/mint", "Kite"),
}
"""Where a secret may go, by place and kind: all else is a leak."""


def leaks(place: str, text: bytes) -> list[str]:
    """Name the kinds of secrets that stand where they must not; `encoded` for one that is not there in plain."""
    kinds = {match[1].decode() for match in _KIND.finditer(text)}
    if not kinds and any(needle in text for needle in _NEEDLES):
        kinds.add("encoded")
    if b"v1." in text and _STATE.search(text):
        kinds.add("State")
    return sorted(kind for kind in kinds if (place, kind) not in ALLOWED)


@dataclass
class Watch:
    """Remembers where secrets came out."""

    found: list[str] = field(default_factory=list)

    def look(self, place: str, text: str | bytes) -> None:
        """Search what came out at a place."""
        raw = text.encode(errors="surrogatepass") if isinstance(text, str) else text
        self.found += (f"{kind} in {place}: {excerpt(raw)}" for kind in leaks(place, raw))

    def take(self) -> Iterable[str]:
        """Give what was found, and forget it."""
        found, self.found = list(dict.fromkeys(self.found)), []
        return found


def excerpt(text: bytes) -> str:
    """Show the neighbourhood of the first secret."""
    places = [text.find(needle) for needle in _NEEDLES if needle in text] or [text.find(b"v1.")]
    return repr(text[max(0, min(places) - 80) : min(places) + 40])


watch = Watch()
"""The process's own."""
