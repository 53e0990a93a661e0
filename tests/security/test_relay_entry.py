"""The relay's door against a thousand visitors who have almost the right thing."""

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import product

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request

from kite_relay.domain.relay_keys import (
    NONCE_SIZE,
    KeyRing,
    RelayKey,
    Scope,
    hash_key,
    issue_ticket,
)
from tests.fakes import FakeClock
from tests.fakes.canaries import RELAY_KEY, canary
from tests.fakes.relay_world import NOW, ORIGIN, TICKET_KEY
from worker.relay_door import Door, RefusedError
from worker.relay_settings import RelaySettings

REVOKED = "kr_" + canary("Revoked")
ORIGINS = (
    None,
    "null",
    "",
    ORIGIN,
    ORIGIN + ":444",
    ORIGIN + ".evil.example",
    "http://dashboard.example",
    "https://e.x",
)
HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-Host": "dashboard.example", "X-Forwarded-Proto": "https"},
    {"X-Real-IP": "127.0.0.1"},
    {"Host": "dashboard.example"},
    {"Authorization": f"Bearer {TICKET_KEY.key}"},
    {"Cookie": f"access_token={REVOKED}"},
    {"User-Agent": "GoogleHC/1.0"},
)


def make_door(clock: FakeClock) -> Door:
    """Make a door that one key opens, and tickets."""
    door = Door(RelaySettings(origins=frozenset({ORIGIN})), clock)
    door.ring = KeyRing().add(RelayKey("bot", hash_key(RELAY_KEY), frozenset({Scope.TICKS}), NOW))
    door.ticket_key = TICKET_KEY
    return door


def ticket(nonce: int, *, age: float = 0.0, key: str = TICKET_KEY.key) -> str:
    """Make a ticket."""
    return issue_ticket(key, NOW - timedelta(seconds=age), nonce.to_bytes(NONCE_SIZE, "big"))


def almost() -> Iterator[str | None]:
    """Give credentials that are none, each for another reason."""
    good = ticket(1)
    yield from (None, "", "kr_", "kt_", "dashboard", "*", "null")
    yield from (
        RELAY_KEY[:-1],
        RELAY_KEY + "A",
        RELAY_KEY[:-1] + chr(ord(RELAY_KEY[-1]) ^ 1),
        RELAY_KEY.swapcase(),
        " " + RELAY_KEY,
        REVOKED,
    )
    yield from (hash_key(RELAY_KEY), hashlib.sha256(RELAY_KEY.encode()).hexdigest(), "kt_" + RELAY_KEY[3:])
    yield from (ticket(2, age=61), ticket(3, key="another worker"), ticket(4, key="x"), good[:-1], good + "A")
    yield from (good[:10] + ("A" if good[10] != "A" else "B") + good[11:], good.swapcase(), "kr_" + good[3:])


def request(secret: str | None, origin: str | None, headers: dict[str, str]) -> Request:
    """Write a handshake."""
    path = "/?api_key=bot" if secret is None else f"/?api_key=bot&access_token={secret}"
    given = Headers(headers)
    if origin is not None:
        given["Origin"] = origin
    return Request(path, given)


async def let_in(door: Door, asked: Request, peer: str) -> bool:
    """Tell whether a visitor would be shown ticks."""
    with contextlib.suppress(RefusedError):
        return not (await door.admit(asked, peer)).stray
    return False


@pytest.mark.promise(20)
def test_of_a_thousand_who_have_almost_the_right_thing_nobody_gets_in(measured: Callable[[str, object], None]) -> None:
    """Every bad credential x Origin x misleading header, each from an address of its own; then a used ticket too."""

    async def story() -> tuple[int, int]:
        door, tried, accepted = make_door(FakeClock(NOW)), 0, 0
        used = ticket(99)
        assert await let_in(door, request(used, ORIGIN, {}), "192.0.2.1")
        for secret, origin, headers in product([*almost(), used], ORIGINS, HEADERS):
            tried += 1
            peer = f"10.{tried >> 16 & 255}.{tried >> 8 & 255}.{tried & 255}"
            accepted += await let_in(door, request(secret, origin, headers), peer)
        for number, origin in enumerate(ORIGINS):
            if origin != ORIGIN:
                tried += 1
                accepted += await let_in(door, request(ticket(1000 + number), origin, {}), "192.0.2.2")
        return tried, accepted

    tried, accepted = asyncio.run(story())
    measured("combinations", tried)
    measured("accepted", accepted)
    assert tried >= 1000
    assert accepted == 0


@pytest.mark.promise(20)
def test_the_right_thing_gets_in() -> None:
    """The thousand above were not refused by a door that is nailed shut."""

    async def story() -> None:
        door = make_door(FakeClock(NOW))
        for origin, headers in product(ORIGINS, HEADERS):
            assert await let_in(door, request(RELAY_KEY, origin, headers), "192.0.2.1")
        assert await let_in(door, request(ticket(1), ORIGIN, {}), "192.0.2.1")

    asyncio.run(story())
