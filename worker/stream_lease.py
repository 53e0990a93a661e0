"""Which of several workers holds the feed: one does, the others stand by."""

import asyncio
import contextlib
import logging

from worker.stream import TERM, TROUBLE, Client

log = logging.getLogger("kite_relay.stream")
LEASE = "kite-relay:lease"
SECONDS = 6.0

_RENEW = """
local holder = redis.call('get', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('set', KEYS[1], ARGV[1], 'px', ARGV[2])
local last, term = tonumber(redis.call('get', KEYS[2]) or 0), tonumber(ARGV[3])
if term == 0 or last > term then term = math.max(last + 1, tonumber(redis.call('time')[1])) end
redis.call('set', KEYS[2], term)
return term
"""
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


class Lease:
    """A lease on the feed.

    A holder that cannot reach Redis goes on: nobody can take over through a Redis that is away, and if only the holder
    is cut off, two feeds for a while harm nobody: readers take none but the newest term's frames. It ends when another
    holds it.

    Args:
        redis: the server.
        holder: this worker's name, unique.
        seconds: how long a dead holder keeps the others waiting.
    """

    def __init__(self, redis: Client, holder: str, seconds: float = SECONDS) -> None:
        self.term = 0
        """Which time of holding this is; every later one, whoever's, has a greater number. 0: never held."""
        self._redis = redis
        self._holder = holder
        self._seconds = seconds
        self._looked_at = float("-inf")
        self._lost = False

    @property
    def sure(self) -> bool:
        """Whether no other worker can hold it, by what was seen lately: a process may hang, and wake up too late."""
        return not self._lost and asyncio.get_running_loop().time() < self._looked_at + self._seconds

    async def try_once(self) -> bool | None:
        """Take or renew the lease; None when Redis does not answer."""
        taken, asked_at = None, asyncio.get_running_loop().time()
        with contextlib.suppress(*TROUBLE):
            asked = (LEASE, TERM, self._holder, str(int(self._seconds * 1000)), str(self.term))
            term = int(await self._redis.eval(_RENEW, 2, *asked))
            taken, self.term = bool(term), term or self.term
        self._lost = taken is False
        self._looked_at = asked_at  # Redis counts from then at the latest, however long its answer took
        return taken

    async def acquire(self) -> None:
        """Wait until the lease is ours. A Redis that is away at first must not keep the feed from starting."""
        log.info("standing by")
        deadline = asyncio.get_running_loop().time() + self._seconds
        another = False
        while not (taken := await self.try_once()):
            another = another or taken is False
            if another and taken is None:
                await self._spare_the_holder()
            elif taken is None and asyncio.get_running_loop().time() > deadline:
                log.warning("redis stays away: this worker holds the feed without a lease")
                return
            await asyncio.sleep(self._seconds / 10)
        log.info("this worker holds the feed")

    async def _spare_the_holder(self) -> None:
        """Wait for Redis, and let the holder take its lease again: a Redis that was away may have forgotten it."""
        while True:
            with contextlib.suppress(*TROUBLE):
                await self._redis.ping()
                break
            await asyncio.sleep(self._seconds / 10)
        await asyncio.sleep(self._seconds / 2)

    async def hold(self) -> None:
        """Renew the lease; returns when another worker has it."""
        while (held := await self.try_once()) is not False:  # noqa: ASYNC110 - it is in another process
            await asyncio.sleep(self._seconds / (3 if held else 10))
        log.warning("another worker holds the feed now")

    async def release(self) -> None:
        """Give the lease up, so that another need not wait."""
        try:
            await self._redis.eval(_RELEASE, 1, LEASE, self._holder)
        except TROUBLE as error:
            log.warning("the lease was not given up: %s", type(error).__name__)
