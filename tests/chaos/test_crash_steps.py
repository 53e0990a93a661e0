"""The worker dies at each step of taking a message, and another one begins: nothing is lost, nothing is done too early.

A death stops the event loop where it stands: no handler, no `finally` of the dead worker's tasks runs before the next
one has done its work. The queue, the store and the board live on.
"""

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from kite_relay.domain.ticks import Mode
from tests.fakes.canaries import access_token
from tests.fakes.messages import FakeEventBus
from tests.fakes.virtual_time import VirtualClock, VirtualLoop
from tests.unit.feed.test_outage import World, rotated

CONVERGED = 30.0
DOWN = 3.0
"""Seconds until somebody starts the worker again."""


class KilledError(SystemExit):
    """Raised out of the event loop: the loop does not survive it."""


class Lives:
    """One worker's life after another, in one time."""

    def __init__(self) -> None:
        self.loops: list[VirtualLoop] = [VirtualLoop()]
        self.clock = VirtualClock(self.loops[0])
        self.world: World | None = None

    def live(self, story: Callable[[World], Any]) -> Any:
        """Begin a worker and follow a story until its end, or the worker's."""

        async def begin() -> Any:
            self.world = World(self.clock, self.world)
            self.world.feed.bus.want("bot", {1: Mode.LTP})
            return await story(self.world)

        return self.loops[-1].run_until_complete(begin())

    def restart(self) -> None:
        """Let the dead one lie, and time pass."""
        loop = VirtualLoop()
        loop._jumping.time = self.loops[-1].time() + DOWN
        self.loops.append(loop)
        self.clock._loop = loop

    def bury(self) -> None:
        """End what all lives left behind."""
        for loop in self.loops:
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            loop.set_exception_handler(lambda *_: None)  # it would tell of the deaths
            loop.close()
        self.world = None
        gc.collect()


@contextmanager
def lives() -> Iterator[Lives]:
    """Give lives, and bury them."""
    found = Lives()
    try:
        yield found
    finally:
        found.bury()


def kill_after(call: Callable[..., Any]) -> Callable[..., Any]:
    """Die when a call has been made, and gave something."""

    def deadly(*args: Any, **options: Any) -> Any:
        answer = call(*args, **options)
        if answer != []:
            raise KilledError
        return answer

    return deadly


def kill_instead(*_: Any, **__: Any) -> Any:
    """Die."""
    raise KilledError


def kill_at_second(world: World) -> None:
    """Die if a packet comes when there is a second socket."""
    if len(world.upstream.lines) > 1:
        raise KilledError


def arm(world: World, step: str) -> None:
    """Let the worker die at a step."""
    old = world.upstream.lines[-1]
    match step:
        case "received":
            world.inbox.receive = kill_after(world.inbox.receive)  # type: ignore[method-assign]
        case "read":
            world.store.read = kill_after(world.store.read)  # type: ignore[method-assign]
        case "dialling":
            world.upstream._answer = kill_instead
        case "first frame":
            world.ear.on_packets = lambda _: kill_at_second(world)  # type: ignore[method-assign,assignment]
        case "closing the old socket":
            old.close = kill_instead  # type: ignore[method-assign]
        case "deleting":
            world.inbox.delete = kill_instead  # type: ignore[method-assign]
        case "deleted":
            world.inbox.delete = kill_after(world.inbox.delete)  # type: ignore[method-assign]


STEPS = ("received", "read", "dialling", "first frame", "closing the old socket", "deleting", "deleted")


def die(step: str, wait: float) -> float:
    """Live to a step, die there, and live again; returns how long the second one took to be on the newest token."""
    with lives() as found:

        async def first(world: World) -> None:
            world.store.write(access_token(1))
            await asyncio.sleep(60 + wait)
            assert world.feed.live
            arm(world, step)
            FakeEventBus(world.inbox).announce(rotated(world, world.store.write(access_token(2))))
            await asyncio.sleep(300)

        with pytest.raises(KilledError):
            found.live(first)
        dead = found.world
        assert dead is not None
        assert bool(dead.inbox.standing) == (step != "deleted"), "deleted too early, or never"
        for service, methods in ((dead.inbox, ("receive", "delete")), (dead.store, ("read",))):
            for name in methods:
                service.__dict__.pop(name, None)
        found.restart()

        async def second(world: World) -> float:
            began = world.clock.monotonic()
            while not (world.feed.live and world.ear.packets):
                assert world.clock.monotonic() - began <= CONVERGED
                await asyncio.sleep(0.25)
            took = world.clock.monotonic() - began
            assert [line.token for line in world.upstream.standing] == [access_token(2)]
            await asyncio.sleep(120)
            assert world.inbox.standing == {}, "the message was never done with"
            assert world.inbox.dead_letters == []
            return took

        return float(found.live(second))


@pytest.mark.promise(8)
@pytest.mark.parametrize("step", STEPS)
def test_a_worker_that_dies_at_a_step_loses_nothing(
    step: str, measured: Callable[[str, object], None], at_scale: Callable[[int, int], int]
) -> None:
    """The next one is on the newest token within 30 seconds, and the message is confirmed once that is so."""
    deaths = at_scale(3, 20)
    longest = max(die(step, number * 1.7) for number in range(deaths))
    measured(f"seconds to converge after a death at '{step}', the longest of {deaths}", round(longest, 2))
