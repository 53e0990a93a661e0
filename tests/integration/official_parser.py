"""Compare our decoder with the official client's on random frames.

A program of its own: importing kiteconnect takes the process's reactor.
"""

import random
import struct
import sys
from datetime import UTC, datetime
from typing import Any

from kiteconnect import KiteTicker

from kite_relay.domain.ticks import Tick, decode, join

NO_CLOSE = 0.1
"""How many packets have no previous close."""
SEGMENTS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 200)


def random_packet(source: random.Random) -> bytes:
    """Make a packet of a documented length, with any values in it."""
    size = source.choice((8, 28, 32, 44, 184))
    token = source.getrandbits(24) << 8 | source.choice(SEGMENTS)
    body = bytearray(struct.pack(">I", token) + source.randbytes(size - 4))
    close = {28: 20, 32: 20, 44: 40, 184: 40}.get(size)
    if close and source.random() < NO_CLOSE:
        body[close : close + 4] = bytes(4)
    return bytes(body)


def plain(tick: Tick) -> dict[str, Any]:
    """Give a tick as the official client's dictionary, but for the zone of its times."""
    found: dict[str, Any] = {key: value for key, value in tick._asdict().items() if value is not None}
    if tick.ohlc:
        found["ohlc"] = tick.ohlc._asdict()
    offers = {"buy": found.pop("buy"), "sell": found.pop("sell")}
    if tick.buy:
        found["depth"] = {side: [offer._asdict() for offer in offers[side]] for side in offers}
    return found


def official(tick: dict[str, Any]) -> dict[str, Any]:
    """Give an official tick with its local times made aware: the one documented difference."""
    return {k: v.astimezone(UTC) if isinstance(v, datetime) else v for k, v in tick.items()}


def main(frames: int, seed: int) -> int:
    """Compare; returns the number of differences."""
    source = random.Random(seed)  # noqa: S311 - test data
    parse = KiteTicker("key", "token")._parse_binary
    differences = 0
    for _ in range(frames):
        frame = join(random_packet(source) for _ in range(source.randrange(4)))
        ours, theirs = [plain(tick) for tick in decode(frame)], [official(tick) for tick in parse(frame)]
        if ours != theirs:
            differences += 1
            sys.stderr.write(f"{frame.hex()}\n{ours}\n{theirs}\n")
    sys.stdout.write(f"{frames} frames, {differences} differences\n")
    return differences


if __name__ == "__main__":
    sys.exit(min(main(int(sys.argv[1]), int(sys.argv[2])), 1))
