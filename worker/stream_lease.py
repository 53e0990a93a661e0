"""Which of several workers holds the feed: one does, the others stand by."""

import asyncio
import logging

from worker.stream import TROUBLE, Client

log = logging.getLogger("kite_relay.stream")
LEASE = "kite-relay:lease"
SECONDS = 10.0

_RENEW = """
local holder = redis.call('get', KEYS[1])
if not holder or holder == ARGV[1] then
  redis.call('set', KEYS[1], ARGV[1], 'px', ARGV[2])
  return 1
end
return 0
"""
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


class Lease:
    """A lease on the feed.

    A holder that cannot reach Redis goes on: nobody can take over through a Redis that is away, and if only the holder
    is cut off, two feeds for a while harm nobody: readers take the newer one's frames. It ends when another holds it.

    Args:
        redis: the server.
        holder: this worker's name, unique.
        seconds: how long a dead holder keeps the others waiting.
    """

    def __init__(self, redis: Client, holder: str, seconds: float = SECONDS) -> None:
        self._redis = redis
        self._holder = holder
        self._seconds = seconds

    async def try_once(self) -> bool | None:
        """Take or renew the lease; None when Redis does not answer."""
        try:
            taken = await self._redis.eval(_RENEW, 1, LEASE, self._holder, str(int(self._seconds * 1000)))
        except TROUBLE:
            return None
        return bool(taken)

    async def acquire(self) -> None:
        """Wait until the lease is ours. A Redis that stays away must not keep the feed from starting."""
        deadline = asyncio.get_running_loop().time() + self._seconds
        while not (taken := await self.try_once()):
            if taken is None and asyncio.get_running_loop().time() > deadline:
                log.warning("redis stays away: this worker holds the feed without a lease")
                return
            await asyncio.sleep(self._seconds / 10)
        log.info("this worker holds the feed")

    async def hold(self) -> None:
        """Renew the lease; returns when another worker has it."""
        while await self.try_once() is not False:  # noqa: ASYNC110 - the event is in another process
            await asyncio.sleep(self._seconds / 3)
        log.warning("another worker holds the feed now")

    async def release(self) -> None:
        """Give the lease up, so that another need not wait."""
        try:
            await self._redis.eval(_RELEASE, 1, LEASE, self._holder)
        except TROUBLE as error:
            log.warning("the lease was not given up: %s", type(error).__name__)
