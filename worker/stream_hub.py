"""What a worker with REDIS_URL has besides: the stream to other relay processes, their wants, and the lease."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from kite_relay.logging import scrubber
from kite_relay.ports import Clock
from worker.bus import Bus
from worker.stream import Writer, connect
from worker.stream_lease import Lease
from worker.stream_wants import WantsTaker


class Hub:
    """The worker's side of Redis.

    Args:
        url: where Redis is; it may hold a password.
        bus: the feed's.
        clock: the time.
    """

    def __init__(self, url: str, bus: Bus, clock: Clock) -> None:
        scrubber.learn(url)
        self._clock = clock
        self._redis = connect(url)
        self._lease = Lease(self._redis, f"worker:{secrets.token_hex(8)}")
        self._writer = Writer(self._redis, bus, lambda: self._lease.term)
        self._taker = WantsTaker(self._redis, bus, self._writer, clock.monotonic)
        self._since = ""

    def state(self) -> str:
        """Tell how Redis is, in the word that health uses."""
        return self._writer.state

    def clients(self) -> list[dict[str, Any]]:
        """Tell who is connected to the other relay processes."""
        return self._taker.clients()

    def findings(self) -> list[dict[str, Any]]:
        """Tell that Redis is away, and since when; and what the other relay processes found."""
        found = self._taker.findings()
        if self._writer.state == "connected":
            self._since = ""
            return found
        self._since = self._since or self._clock.now().isoformat()
        return [*found, {"code": "redis_unreachable", "since": self._since, "detail": "Redis does not answer"}]

    def leads(self) -> bool:
        """Tell whether this worker may still speak as the one that holds the feed."""
        return self._lease.sure

    def runs(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        """Give what must run for ever while the lease is held."""
        return self._writer.run, self._taker.run

    async def acquire(self) -> None:
        """Wait until this worker may hold the feed."""
        await self._lease.acquire()

    async def hold(self) -> None:
        """Renew the lease; returns when another worker has it."""
        await self._lease.hold()

    async def close(self) -> None:
        """Let another worker begin."""
        await self._lease.release()
        await self._redis.aclose()
