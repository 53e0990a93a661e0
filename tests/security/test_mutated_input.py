"""Damaged inputs by the hundred thousand, at each parser that strangers reach: an answer or a named rejection."""

import json
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from kite_relay.domain.errors import MalformedError
from kite_relay.domain.events import DETAIL_TYPE, SOURCE, STORE_DETAIL_TYPE, STORE_SOURCE, parse_announcement
from kite_relay.domain.ticks import decode, join
from worker.relay_commands import parse

SPLICES: tuple[bytes, ...] = (b"\x00", b"\xff\xff\xff\xff", b"null", b"NaN", b"1e999", b"-0", b"[" * 3000, b"9" * 5000)
SPLICES += (b'"\\ud800"', b'{"a":', b"true", b"\xc3\xa9", b"}", b'"', b"[[]]")


@dataclass(frozen=True, slots=True)
class Target:
    """A parser, and good inputs to begin with."""

    read: Callable[[bytes], Any]
    seeds: tuple[bytes, ...]


def text(value: object) -> bytes:
    """Write JSON."""
    return json.dumps(value).encode()


def packet(size: int) -> bytes:
    """Make a packet."""
    return struct.pack(">I", 408065) + bytes(range(size - 4))


ROTATED = {
    "generation": 7,
    "parameter_name": "/kite-relay/access_token",
    "user_id": "AB1234",
    "minted_at": "2026-11-24T08:00:00+05:30",
    "source": "login",
}
TARGETS = {
    "frames": Target(decode, tuple(join([packet(size)] * 2) for size in (8, 28, 32, 44, 184))),
    "announcements": Target(
        lambda raw: parse_announcement(raw.decode(errors="replace")),
        (
            text({"source": SOURCE, "detail-type": DETAIL_TYPE, "detail": ROTATED}),
            text({"source": STORE_SOURCE, "detail-type": STORE_DETAIL_TYPE, "detail": {"name": "/kite-relay/x"}}),
        ),
    ),
    "client messages": Target(
        lambda raw: parse(raw.decode(errors="replace")),
        (
            text({"a": "subscribe", "v": [408065, 256265]}),
            text({"a": "mode", "v": ["full", [408065]]}),
            text({"a": "find", "v": "infy"}),
        ),
    ),
}


def damaged(dice: random.Random, seed: bytes) -> bytes:
    """Damage an input in a few places."""
    found = bytearray(seed)
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(found) + 1)
        match dice.randrange(4):
            case 0 if place < len(found):
                found[place] ^= 1 << dice.randrange(8)
            case 1:
                found[place:place] = dice.choice(SPLICES)
            case 2:
                del found[place : place + dice.randint(1, 8)]
            case _:
                found[place:place] = found[: dice.randint(0, 16)]
    return bytes(found)


@pytest.mark.promise(15)
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", TARGETS)
def test_damaged_input_is_read_or_rejected_by_name(
    name: str, measured: Callable[[str, object], None], at_scale: Callable[[int, int], int]
) -> None:
    """No other exception, ever; and some are read, so the damage is not all of one kind."""
    target, count, read = TARGETS[name], at_scale(200_000, 10_000_000), 0
    dice = random.Random(15)  # noqa: S311 - test data
    for _ in range(count):
        raw = damaged(dice, dice.choice(target.seeds))
        try:
            target.read(raw)
        except MalformedError:
            continue
        except Exception as error:
            raise AssertionError(f"{type(error).__name__} for {raw[:200]!r}") from error
        read += 1
    measured(f"damaged {name}", count)
    assert 0 < read < count
