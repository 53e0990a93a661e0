"""The parsers that strangers reach, each with good inputs to begin with and with what must be so of what it reads."""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kite_relay.domain.errors import MalformedError
from kite_relay.domain.events import (
    DETAIL_TYPE,
    SOURCE,
    STORE_DETAIL_TYPE,
    STORE_SOURCE,
    TokenRotated,
    parse_announcement,
)
from kite_relay.domain.instruments import MAX_TOKEN
from kite_relay.domain.ticks import decode, join, split
from worker.relay_commands import Find, parse

CRASHES = Path(__file__).with_name("crashes")
"""Inputs that once broke a parser: `TARGET-crash-DIGEST`, as libFuzzer names them."""


@dataclass(frozen=True, slots=True)
class Target:
    """A parser, and good inputs to begin with."""

    read: Callable[[bytes], None]
    seeds: tuple[bytes, ...]

    def takes(self, raw: bytes) -> bool:
        """Tell whether it reads an input; a named rejection is an answer too, any other exception is let through."""
        try:
            self.read(raw)
        except MalformedError:
            return False
        return True


def read_frame(raw: bytes) -> None:
    """Decode a frame, none of whose bytes may be lost or made up."""
    ticks = decode(raw)
    packets = split(raw)
    assert len(ticks) == len(packets)
    assert len(raw) < 2 or join(packet for _, packet in packets) == raw


def read_announcement(raw: bytes) -> None:
    """Read an announcement; what it says can be said again."""
    found = parse_announcement(raw.decode(errors="replace"))
    if isinstance(found, TokenRotated):
        assert TokenRotated.from_detail(found.to_detail()) == found


def read_message(raw: bytes) -> None:
    """Read a client's message; its instruments can exist, and none is there twice."""
    found = parse(raw.decode(errors="replace"))
    if not isinstance(found, Find):
        assert len(set(found.tokens)) == len(found.tokens)
        assert all(0 < token <= MAX_TOKEN for token in found.tokens)


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
    "frames": Target(read_frame, tuple(join([packet(size)] * 2) for size in (8, 28, 32, 44, 184))),
    "announcements": Target(
        read_announcement,
        (
            text({"source": SOURCE, "detail-type": DETAIL_TYPE, "detail": ROTATED}),
            text({"source": STORE_SOURCE, "detail-type": STORE_DETAIL_TYPE, "detail": {"name": "/kite-relay/x"}}),
        ),
    ),
    "messages": Target(
        read_message,
        (
            text({"a": "subscribe", "v": [408065, 256265]}),
            text({"a": "mode", "v": ["full", [408065]]}),
            text({"a": "find", "v": "infy"}),
        ),
    ),
}
