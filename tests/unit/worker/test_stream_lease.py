"""The lease: a holder must not believe in it for longer than Redis keeps it."""

import asyncio

from tests.fakes.virtual_time import VirtualClock, run
from worker.stream_lease import SECONDS, Lease

ANSWER_SECONDS = 2.9
"""Just within the client's time-out."""


class SlowRedis:
    """Renews at once, and says so late."""

    async def eval(self, *_: object) -> int:
        """Give the term."""
        await asyncio.sleep(ANSWER_SECONDS)
        return 7


def test_a_lease_lasts_from_when_it_was_asked_for() -> None:
    """Redis may give it to another while the answer to its last holder is still under way."""

    async def story(_: VirtualClock) -> None:
        lease = Lease(SlowRedis(), "worker:a")
        assert await lease.try_once()
        assert lease.sure
        await asyncio.sleep(SECONDS - ANSWER_SECONDS + 0.1)
        assert not lease.sure

    run(story)
