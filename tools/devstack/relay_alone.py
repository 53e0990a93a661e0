"""The worker's relay alone, fed through a socket: what `make bench NAME=relay` measures.

usage: python -m tools.devstack.relay_alone PORT FEED_PORT KEY WINDOW_SECONDS [REDIS_URL feed|relay]

The feed sends frames as Kite does, each with its length before it (4 bytes, little-endian).
"""

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

from kite_relay.adapters.clock import SystemClock
from kite_relay.domain.relay_keys import KeyRing, RelayKey, Scope, hash_key
from kite_relay.domain.ticks import split
from kite_relay.ports import Item, Parameter, StatusBoard
from worker.bus import Bus
from worker.relay import Relay
from worker.relay_main import RelayProcess
from worker.relay_settings import RelaySettings
from worker.stream import Writer, connect
from worker.stream_lease import Lease

LENGTH = 4


class OneKey:
    """The parameters of the benchmark: one relay key, known by its hash."""

    def __init__(self, key: str) -> None:
        entry = RelayKey("bench", hash_key(key), frozenset({Scope.TICKS}), datetime.now(UTC))
        self._parameter = Parameter(KeyRing([entry]).to_json(), 1)

    def read(self, _name: str) -> Parameter | None:
        """Give the keys."""
        return self._parameter

    def exists(self, _name: str) -> bool:
        """Tell that they are there."""
        return True

    def write(self, name: str, value: str, *, secret: bool) -> int:  # noqa: ARG002 - the port's signature
        """Refuse."""
        raise AssertionError(name)


class Feed(asyncio.Protocol):
    """Cuts the stream into frames."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        data = self._rest + data
        at = 0
        while len(data) - at >= LENGTH:
            end = at + LENGTH + int.from_bytes(data[at : at + LENGTH], "little")
            if end > len(data):
                break
            self._take(data[at + LENGTH : end])
            at = end
        self._rest = data[at:]


SETTINGS = replace(RelaySettings(), clients_per_key=5000, clients=5000, handshakes=5000)


class NoBoard:
    """A board without tickets."""

    def get(self, _keys: Sequence[str]) -> dict[str, Item]:
        """Give nothing."""
        return {}


async def listen(bus: Bus, feed_port: int) -> None:
    """Take frames from the feed."""
    await asyncio.get_running_loop().create_server(
        lambda: Feed(lambda frame: bus.publish(split(frame))), "127.0.0.1", feed_port
    )


async def serve(port: int, feed_port: int, key: str, window: float) -> None:
    """Run a relay by itself until killed."""
    bus = Bus(lambda _owner, _wants: None)
    async with Relay(bus, OneKey(key), replace(SETTINGS, port=port, window=window), SystemClock()):
        await listen(bus, feed_port)
        print("READY", flush=True)
        await asyncio.Event().wait()


async def serve_feed(feed_port: int, url: str) -> None:
    """Run the feed's end of a stream until killed."""
    bus = Bus(lambda _owner, _wants: None)
    await listen(bus, feed_port)
    print("READY", flush=True)
    redis = connect(url)
    lease = Lease(redis, "bench")
    await lease.acquire()
    await Writer(redis, bus, lambda: lease.term).run()


async def serve_relay(port: int, key: str, url: str) -> None:
    """Run a relay process on a stream until killed."""
    board = cast("StatusBoard", NoBoard())
    async with RelayProcess(url, replace(SETTINGS, port=port), OneKey(key), board, SystemClock()):
        print("READY", flush=True)
        await asyncio.Event().wait()


def main(arguments: Sequence[str]) -> None:
    """Run the part that the arguments name."""
    port, feed_port, key, window = arguments[:4]
    match arguments[4:]:
        case [url, "feed"]:
            asyncio.run(serve_feed(int(feed_port), url))
        case [url, "relay"]:
            asyncio.run(serve_relay(int(port), key, url))
        case _:
            asyncio.run(serve(int(port), int(feed_port), key, float(window)))


if __name__ == "__main__":
    main(sys.argv[1:])
