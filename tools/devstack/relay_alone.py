"""The worker's relay alone, fed through a socket: what `make bench NAME=relay` measures.

usage: python -m tools.devstack.relay_alone PORT FEED_PORT KEY WINDOW_SECONDS

The feed sends frames as Kite does, each with its length before it (4 bytes, little-endian).
"""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from kite_relay.adapters.clock import SystemClock
from kite_relay.domain.relay_keys import KeyRing, RelayKey, Scope, hash_key
from kite_relay.domain.ticks import split
from kite_relay.ports import Parameter
from worker.bus import Bus
from worker.relay import Relay
from worker.relay_settings import RelaySettings

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


async def serve(port: int, feed_port: int, key: str, window: float) -> None:
    """Run until killed."""
    bus = Bus(lambda _owner, _wants: None)
    settings = replace(RelaySettings(), port=port, window=window, clients_per_key=5000, clients=5000, handshakes=5000)
    async with Relay(bus, OneKey(key), settings, SystemClock()):
        await asyncio.get_running_loop().create_server(
            lambda: Feed(lambda frame: bus.publish(split(frame))), "127.0.0.1", feed_port
        )
        print("READY", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], float(sys.argv[4])))
