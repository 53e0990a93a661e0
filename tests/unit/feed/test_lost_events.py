"""Every event lost: the store is the truth, and the worker asks it."""

import asyncio
from collections.abc import Callable

import pytest

from kite_relay.domain.ticks import Mode
from tests.fakes.canaries import access_token
from tests.fakes.virtual_time import VirtualClock, run
from tests.unit.feed.test_outage import World

HEALED = 75.0


async def seconds_to(world: World, token: str) -> float:
    """Wait until everything flows on a token; returns how long it took."""
    began = world.clock.monotonic()
    while not (world.feed.live and [line.token for line in world.upstream.standing] == [token]):
        assert world.clock.monotonic() - began <= HEALED, "not healed in time"
        await asyncio.sleep(0.25)
    return world.clock.monotonic() - began


@pytest.mark.promise(9)
def test_with_every_event_lost_a_new_token_is_found(measured: Callable[[str, object], None]) -> None:
    """Whenever between two looks it is stored, and with the slowest jitter."""

    async def story(clock: VirtualClock) -> float:
        world = World(clock)
        world.feed.bus.want("bot", {1: Mode.LTP})
        world.store.write(access_token(0))
        await asyncio.sleep(120)
        longest = 0.0
        for number in range(1, 31):
            await asyncio.sleep(number * 1.9)
            world.store.write(access_token(number))
            longest = max(longest, await seconds_to(world, access_token(number)))
        assert world.inbox.calls["receive"] > 0, "the queue was asked all the time, and had nothing"
        return longest

    longest = run(story)
    measured("seconds to heal with every event lost, the longest of 30", round(longest, 2))
    assert longest <= HEALED


@pytest.mark.promise(9)
def test_a_boot_needs_no_message(measured: Callable[[str, object], None]) -> None:
    """The token stands in the store, the queue is empty."""

    async def story(clock: VirtualClock) -> float:
        world = World(clock)
        world.store.write(access_token(1))
        world.feed.bus.want("bot", {1: Mode.LTP})
        return await seconds_to(world, access_token(1))

    took = run(story)
    measured("seconds to the first tick after a boot with an empty queue", round(took, 2))
    assert took <= HEALED
