"""A relay on a free port of the loopback, with keys, a clock and a Kite that the test holds in its hand."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from websockets.asyncio.client import ClientConnection, connect

from kite_relay.domain.errors import LimitExceededError, StoreUnavailableError
from kite_relay.domain.records import TicketKey
from kite_relay.domain.relay_keys import KeyRing, RelayKey, Scope, hash_key
from kite_relay.domain.ticks import Mode
from kite_relay.ports import Parameter
from tests.fakes import FakeClock, canaries
from worker.bus import Bus
from worker.relay import Relay
from worker.relay_settings import RelaySettings

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
INFY, SBIN, NIFTY = 408065, 779521, 256265
TICKET_KEY = TicketKey(canaries.TICKET_KEY)
ORIGIN = "https://dashboard.example"


def full_packet(token: int, price: int = 100) -> bytes:
    """Make a full packet that tells its price in every field."""
    return struct.pack(">II", token, price) + struct.pack(">I", price) * 44


def index_packet(token: int, price: int = 100) -> bytes:
    """Make the full packet of an index."""
    return struct.pack(">II", token, price) + struct.pack(">I", price) * 6


class HandParameters:
    """The parameter `relay_keys`, as the test wants it."""

    def __init__(self) -> None:
        self.ring = KeyRing()
        self.text: str | None = None
        self.broken = False

    def read(self, name: str) -> Parameter | None:
        """Read the keys."""
        assert name == "relay_keys"
        if self.broken:
            raise StoreUnavailableError("the parameter store did not answer")
        return Parameter(self.text if self.text is not None else self.ring.to_json(), 1)

    def exists(self, name: str) -> bool:
        """Tell that it is there."""
        return True

    def write(self, name: str, value: str, *, secret: bool) -> int:
        """Fail: the relay writes nothing."""
        raise AssertionError("the relay wrote a parameter")

    def make(self, name: str, *scopes: Scope) -> str:
        """Add a key; returns it."""
        key = "kr_" + canaries.canary("RelayKey", crc32(name.encode()))
        entry = RelayKey(name, hash_key(key), frozenset(scopes or (Scope.TICKS,)), NOW)
        self.ring = self.ring.add(entry)
        return key


class World:
    """Everything around a relay."""

    def __init__(self, **settings: Any) -> None:
        self.clock = FakeClock(NOW)
        self.parameters = HandParameters()
        self.key = self.parameters.make("bot")
        self.wanted: dict[str, Mapping[int, Mode]] = {}
        self.capacity = 9000
        self.bus = Bus(self._set_wants)
        defaults = RelaySettings(port=0, origins=frozenset({ORIGIN}), heartbeat=60.0, key_refresh=3600.0)
        self.relay = Relay(self.bus, self.parameters, replace(defaults, **settings), self.clock)
        self.relay.use_ticket_key(TICKET_KEY)

    def _set_wants(self, owner: str, wants: Mapping[int, Mode]) -> None:
        if len(wants) > self.capacity:
            raise LimitExceededError(f"Kite allows {self.capacity} instruments")
        self.wanted[owner] = wants

    @property
    def root(self) -> str:
        """Give what an official client takes as its root."""
        return f"ws://127.0.0.1:{self.relay.port}"

    def url(self, key: str | None = None, name: str = "bot") -> str:
        """Give the URL that a client connects to."""
        return f"{self.root}/?api_key={name}&access_token={key or self.key}"

    @asynccontextmanager
    async def client(self, key: str | None = None, **options: Any) -> AsyncIterator[ClientConnection]:
        """Connect a client; its first heartbeat is taken already."""
        async with connect(self.url(key), proxy=None, **options) as socket:
            yield socket

    def tick(self, *packets: bytes) -> None:
        """Let Kite send a frame."""
        self.bus.publish([(int.from_bytes(packet[:4], "big"), packet) for packet in packets])


@asynccontextmanager
async def relay_world(**settings: Any) -> AsyncIterator[World]:
    """Run a relay."""
    world = World(**settings)
    async with world.relay:
        yield world


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so; fails after five seconds."""
    for _ in range(5000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came true")
