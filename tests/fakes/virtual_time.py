"""An event loop whose time is a number: a sleep of an hour costs nothing, and nothing ever waits for real.

Only for code whose every wait goes through the loop; blocking calls must be run inline (see `inline`).
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
START = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


class _JumpingSelector(selectors.SelectSelector):
    """Does not wait: puts the loop's time forward instead."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 1000.0

    def select(self, timeout: float | None = None) -> list[Any]:
        """Look what is ready; if nothing is, jump to when the next timer is due."""
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("nothing will ever happen any more")
            self.time += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Tell the virtual time."""
        return self._jumping.time


class VirtualClock:
    """The two clocks, by the loop's virtual time."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> datetime:
        """Tell the wall time."""
        return START + timedelta(seconds=self._loop.time() - 1000.0)

    def monotonic(self) -> float:
        """Tell the loop's time."""
        return self._loop.time()


async def inline(call: Callable[[], T]) -> T:
    """Run a blocking call in place of a thread."""
    return call()


def run(story: Callable[[VirtualClock], Coroutine[Any, Any, T]]) -> T:
    """Run a story on a loop of its own, and end what it leaves behind."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(story(VirtualClock(loop)))
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.close()
