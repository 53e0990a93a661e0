"""The endless tasks of a process, and what becomes of one that fails."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

PAUSE_SECONDS = 1.0

log = structlog.get_logger(__name__)


async def begun_anew(work: Callable[[], Awaitable[None]]) -> None:
    """Run one of the endless tasks. One that fails by a bug of ours begins anew: half a process looks like a whole one.

    Args:
        work: begins the task; it ends only when it is told to.
    """
    while True:
        try:
            return await work()
        except Exception:
            log.exception("a task has failed; it begins anew")
            await asyncio.sleep(PAUSE_SECONDS)
