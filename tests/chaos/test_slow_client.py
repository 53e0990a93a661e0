"""One client takes no byte, at the real time-outs: what its neighbours notice, what it costs, when it is gone."""

import json
import time
from collections.abc import Callable

import pytest
from websockets.asyncio.client import ClientConnection

from tests.fakes.relay_world import World, relay_world
from tests.unit.relay.test_slow import flood, stalled

CLOSED, QUEUE = 10.0, 1 << 20
WATCHED = 100
"""Instruments of each neighbour; the stalled one wants all 3,000."""


def p99(seconds: list[float]) -> float:
    """Give the 99th percentile, in milliseconds."""
    return sorted(seconds)[int(len(seconds) * 0.99)] * 1000


async def tick(world: World, bot: ClientConnection, price: int) -> float:
    """Let every instrument tick; returns the seconds until a neighbour has it."""
    began = time.monotonic()
    flood(world, price)
    while not isinstance(message := await bot.recv(), bytes) or len(message) < WATCHED:
        pass
    return time.monotonic() - began


def kept(world: World) -> int:
    """Count the bytes that wait for clients."""
    return sum(
        sum(map(len, client._backlog.values())) + client.transport.get_write_buffer_size()
        for client in world.relay._clients
    )


@pytest.mark.promise(13)
@pytest.mark.xdist_group("processes")
async def test_a_stalled_client_is_closed_in_time_and_costs_little(measured: Callable[[str, object], None]) -> None:
    """It is closed with 4008 within 10 seconds of its first blocked byte, and never holds more than 1 MiB."""
    async with relay_world() as world, world.client() as bot:
        await bot.send(json.dumps({"a": "mode", "v": ["full", list(range(1, WATCHED + 1))]}))
        await (await bot.ping())
        alone = [await tick(world, bot, price) for price in range(1, 1001)]
        beside: list[float] = []
        most = 0
        async with stalled(world):
            blocked = time.monotonic()
            while not world.relay.stats.closes[4008]:
                beside.append(await tick(world, bot, 1001 + len(beside)))
                most = max(most, kept(world))
                assert time.monotonic() - blocked <= CLOSED
        took = time.monotonic() - blocked
    measured("seconds until the stalled client is closed", round(took, 1))
    measured("most bytes waiting for it", most)
    measured("a neighbour's p99 without it, ms", round(p99(alone), 2))
    measured("p99 of a neighbour beside it, ms", round(p99(beside), 2))
    assert most <= QUEUE
