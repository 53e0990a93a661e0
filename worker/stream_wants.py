"""Beyond one process, the other way: what the clients of every relay process want, and what the status must know.

A process tells all of it again and again; one that says nothing for a while is forgotten.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from kite_relay.domain.errors import LimitExceededError, MalformedError
from kite_relay.domain.ticks import Mode
from worker.bus import Bus
from worker.stream import LATEST_EVERY, PAUSE, TROUBLE, Client, Writer, entries, stopping

WANTS = "kite-relay:wants"
WAKE = "kite-relay:wake"
SILENT_AFTER = 15.0

Rows = list[dict[str, Any]]


class Told(Protocol):
    """What is told of a relay."""

    def clients(self) -> Rows:
        """Tell who is connected."""
        ...

    def findings(self) -> Rows:
        """Tell what the operator should know."""
        ...


class WantsTeller:
    """A relay process's wants, told to the feed again and again, with what else the status must know of it.

    Args:
        redis: the server.
        owner: this process's name.
        relay: tells who is connected, and what the operator should know.
    """

    def __init__(self, redis: Client, owner: str, relay: Callable[[], Told]) -> None:
        self._redis = redis
        self._owner = owner
        self._relay = relay
        self._wants: Mapping[int, Mode] = {}
        self._changed = asyncio.Event()
        self._count = 0

    def set_wants(self, _owner: str, wants: Mapping[int, Mode]) -> None:
        """Take all that this process wants."""
        self._wants = wants
        self._changed.set()

    async def run(self, every: float = LATEST_EVERY) -> None:
        """Tell for ever: at each change, and every few seconds to show that this process lives."""
        while not stopping():
            self._changed.clear()
            self._count += 1
            wants = {str(token): mode.value for token, mode in self._wants.items()}
            try:
                pipe = self._redis.pipeline(transaction=False)
                relay = self._relay()
                told = {"clients": relay.clients(), "findings": relay.findings()}
                body = json.dumps({"n": self._count, "wants": wants, **told})
                pipe.hset(WANTS, self._owner, body)
                pipe.xadd(WAKE, {"o": self._owner}, maxlen=100, approximate=True)
                await pipe.execute()
            except TROUBLE:
                await asyncio.sleep(PAUSE)
                self._changed.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), every)

    async def leave(self) -> None:
        """Want nothing more."""
        with contextlib.suppress(*TROUBLE):
            await self._redis.hdel(WANTS, self._owner)
            await self._redis.xadd(WAKE, {"o": self._owner}, maxlen=100)


class WantsTaker:
    """The feed's end of the wants: passes each relay process's wants to the bus, and forgets silent processes.

    Args:
        redis: the server.
        bus: told the wants.
        writer: tells a process what was refused.
        monotonic: the seconds.
    """

    def __init__(self, redis: Client, bus: Bus, writer: Writer, monotonic: Callable[[], float]) -> None:
        self._redis = redis
        self._bus = bus
        self._writer = writer
        self._monotonic = monotonic
        self._heard: dict[str, tuple[int, float]] = {}
        self._told: dict[str, Any] = {}
        self._clients: dict[str, Rows] = {}
        self._findings: dict[str, Rows] = {}

    def clients(self) -> Rows:
        """Tell who is connected to all relay processes."""
        return [client for clients in self._clients.values() for client in clients]

    def findings(self) -> Rows:
        """Tell what the operator should know of all relay processes."""
        return [finding for findings in self._findings.values() for finding in findings]

    async def run(self) -> None:
        """Take for ever."""
        place: Any = "$"
        while not stopping():
            try:
                self.look({k.decode(): v for k, v in (await self._redis.hgetall(WANTS)).items()})
                if found := await entries(self._redis, WAKE, place):
                    place = found[-1][0]
            except TROUBLE:
                place = "$"
                await asyncio.sleep(PAUSE)

    def look(self, told: Mapping[str, bytes]) -> None:
        """Take what all processes tell now."""
        now = self._monotonic()
        for owner, body in told.items():
            with contextlib.suppress(ValueError, KeyError, TypeError, MalformedError):
                message = json.loads(body)
                count, _ = self._heard.get(owner, (None, 0.0))
                wants = {int(token): Mode(mode) for token, mode in message["wants"].items()}
                if message["n"] != count:
                    self._clients[owner] = list(message["clients"])
                    self._findings[owner] = list(message["findings"])
                    self._heard[owner] = message["n"], now
                    self._want(owner, wants)
        for owner in [o for o, (_, at) in self._heard.items() if o not in told or now > at + SILENT_AFTER]:
            self._want(owner, {})
            for known in (self._heard, self._told, self._clients, self._findings):
                known.pop(owner, None)

    def _want(self, owner: str, wants: dict[int, Mode]) -> None:
        if self._told.get(owner) == wants:
            return
        self._told[owner] = wants
        try:
            self._bus.want(owner, wants)
        except LimitExceededError as error:
            self._writer.put("r", json.dumps({"owner": owner, "sentence": str(error)}).encode())
