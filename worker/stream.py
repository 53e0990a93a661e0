"""Beyond one process: the feed's frames through a bounded Redis Stream, the relays' wants the other way.

Every entry has a number of ours. A writer that is cut off keeps its frames and sends them again; a Redis that comes
back empty is given the last ones anew; a reader drops what it has seen. So a blip costs time and no tick.
"""

import asyncio
import contextlib
import json
import logging
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from kite_relay.domain.errors import StoreUnavailableError
from kite_relay.domain.ticks import join, split
from worker.bus import Bus, Packets
from worker.stream_backlog import Backlog, Fields
from worker.stream_tail import Entry, follow

log = logging.getLogger("kite_relay.stream")

FRAMES = "kite-relay:frames"
LATEST = "kite-relay:latest"
TERM = "kite-relay:term"
TICKET = "kite-relay:ticket:"
KEPT, KEPT_BYTES = 4000, 32 << 20
"""Entries in the stream, and frames a writer keeps while Redis is away: minutes of a busy feed."""
AGAIN, AGAIN_BYTES = 200, 8 << 20
"""Frames given anew to a Redis that came back empty."""
BATCH = 100
BEGINNING = b"0-0"
PAUSE = 0.1
LATEST_EVERY = 5.0
TROUBLE = (RedisError, OSError, TimeoutError)

_SHOW = """
local term = redis.call('get', KEYS[1])
if not term or term == ARGV[1] then redis.call('set', KEYS[2], ARGV[2]) end
"""
"""Puts the newest packets where readers find them, unless a later term has begun."""

Client = Any
"""A `redis.asyncio.Redis`: what types there are for it know half of it."""


def stopping() -> bool:
    """Tell whether this task was told to end: a cancellation may get lost inside a time-out of redis' client."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def connect(url: str) -> Client:
    """Make a client that gives up after seconds, never minutes."""
    never = Retry(NoBackoff(), 0)  # everybody here tries again by himself, and some must know that Redis was away
    client: Client = Redis.from_url(url, socket_timeout=3.0, socket_connect_timeout=2.0, retry=never)
    return client


async def run_id(redis: Client) -> str:
    """Tell which life of the server this is."""
    return str((await redis.info("server"))["run_id"])


async def entries(redis: Client, stream: str, place: Any) -> list[tuple[Any, Fields]]:
    """Read what stands in a stream after a place, or wait a second for it; both of the protocol's shapes."""
    found: Any = await redis.xread({stream: place}, block=1000)
    if not found:
        return []
    return found[0][1] if isinstance(found, list) else next(iter(found.values()))[0]  # type: ignore[no-any-return]


class End:
    """One end of the stream: it works for ever, and begins anew when Redis was away.

    Args:
        redis: the server.
    """

    def __init__(self, redis: Client) -> None:
        self.state = "connected"
        self._redis = redis

    async def run(self) -> None:
        """Work for ever."""
        while not stopping():
            try:
                life = await run_id(self._redis)
                self.state = "connected"
                await self._work(life)
            except TROUBLE as error:
                self.state = "unreachable"
                log.warning("redis is not reachable: %s", type(error).__name__)
                await asyncio.sleep(PAUSE)

    @abstractmethod
    async def _work(self, life: str) -> None:
        """Work until Redis is away; `life` tells whether it has forgotten what it had."""


class Writer(End):
    """The feed's end: listens on the bus and appends to the stream.

    Args:
        redis: the server.
        bus: what is written.
        term: tells the lease's term, which every entry carries: readers take nothing of an earlier one. While it is 0
            nothing is written.
    """

    def __init__(self, redis: Client, bus: Bus, term: Callable[[], int]) -> None:
        super().__init__(redis)
        self._bus = bus
        self._unsent = Backlog(KEPT, KEPT_BYTES)
        self._sent = Backlog(AGAIN, AGAIN_BYTES)
        self._ready = asyncio.Event()
        self._number = 0
        self._life = ""
        self._term = term
        bus.attach(self)

    def on_packets(self, packets: Packets) -> None:
        """Take the packets of one upstream frame."""
        self.put("p", join(packet for _, packet in packets))

    def on_text(self, text: str) -> None:
        """Take one text frame."""
        self.put("t", text.encode())

    def put(self, kind: str, data: bytes) -> None:
        """Take anything that the readers shall have."""
        self._number += 1
        self._unsent.append({"k": kind, "n": self._number, "d": data})
        self._ready.set()

    async def _work(self, life: str) -> None:
        if self._life and life != self._life:
            self._unsent.put_before(self._sent.take())
        self._life = life
        latest_at = 0.0
        while not stopping():
            if not self._term():
                await asyncio.sleep(PAUSE)
                continue
            if asyncio.get_running_loop().time() >= latest_at:
                latest_at = asyncio.get_running_loop().time() + LATEST_EVERY
                await self._redis.eval(_SHOW, 2, TERM, LATEST, self._term(), join(self._bus.latest.values()))
            await self._write()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ready.wait(), LATEST_EVERY)

    async def _write(self) -> None:
        while self._unsent:
            batch = self._unsent.first(BATCH)
            size = sum(len(fields["d"]) for fields in batch) // len(batch) + 1
            kept = min(KEPT, KEPT_BYTES // size)
            pipe = self._redis.pipeline(transaction=False)
            for fields in batch:
                pipe.xadd(FRAMES, {**fields, "e": self._term()}, maxlen=kept, approximate=True)
            await pipe.execute()
            for fields in batch:
                self._unsent.done(fields)
                self._sent.append(fields)
        self._ready.clear()


class Reader(End):
    """A relay process's end: reads the stream into its own bus.

    Args:
        redis: the server.
        bus: what is filled.
        refused: told (owner, sentence) when the feed could not fulfil an owner's wants.
    """

    def __init__(self, redis: Client, bus: Bus, refused: Callable[[str, str], None]) -> None:
        super().__init__(redis)
        self.caught_up = asyncio.Event()
        """Set once all that stood in the stream has been read."""
        self._bus = bus
        self._refused = refused
        self._place = BEGINNING
        self._seen = (0, 0)
        self._life = ""
        self._moved: set[int] = set()
        self._before: set[int] = set()

    async def _work(self, life: str) -> None:
        if life != self._life:
            self._life, self._place = life, BEGINNING
        tail = await follow(self._redis, FRAMES, self._place, BATCH, self._read)
        try:
            while not tail.ended.is_set():
                await self._refresh()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(tail.ended.wait(), LATEST_EVERY)
        finally:
            tail.close()
        raise ConnectionError("the stream's connection has ended")

    async def _refresh(self) -> None:
        """Take the newest packets of all instruments, and forget those that the feed has given up."""
        body = await self._redis.get(LATEST)
        if body is None:
            return
        packets, latest = dict(split(body)), self._bus.latest
        for token in latest.keys() - packets.keys() - self._moved - self._before:
            del latest[token]
        for token, packet in packets.items():
            latest.setdefault(token, packet)
        self._before, self._moved = self._moved, set()

    def _read(self, found: Sequence[Entry]) -> None:
        for place, flat in found:
            self._place = place
            fields = dict(zip(flat[::2], flat[1::2], strict=True))
            number = int(fields[b"e"]), int(fields[b"n"])
            if number > self._seen:
                self._seen = number
                self._take(fields[b"k"], fields[b"d"])
        if len(found) < BATCH:
            self.caught_up.set()

    def _take(self, kind: bytes, data: bytes) -> None:
        if kind == b"p":
            packets = split(data)
            self._moved.update(token for token, _ in packets)
            self._bus.publish(packets)
        elif kind == b"t":
            self._bus.publish_text(data.decode())
        elif kind == b"r":
            message = json.loads(data)
            self._refused(message["owner"], message["sentence"])


def ticket_claim(redis: Client) -> Callable[[bytes], Any]:
    """Let a dashboard ticket in once, whichever relay process it comes to."""

    async def claim(nonce: bytes) -> bool:
        try:
            return bool(await redis.set(TICKET + nonce.hex(), 1, nx=True, ex=120))
        except TROUBLE as error:
            raise StoreUnavailableError("redis is not reachable") from error

    return claim
