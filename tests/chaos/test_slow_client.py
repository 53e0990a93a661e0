"""One client takes no byte, at the real time-outs: what its neighbours notice, what it costs, when it is gone."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from statistics import median

import pytest
from websockets.asyncio.client import ClientConnection

from tests.fakes.relay_world import World, full_packet, relay_world, until
from tests.unit.relay.test_slow import stalled

CLOSED, QUEUE = 10.0, 1 << 20
WATCHED = range(1, 101)
"""Instruments of each neighbour; the stalled one wants all 3,000."""
NEIGHBOURS = 20
FRAMES = 100
PAUSE = 0.05
"""Between two frames of 100 ticks: 2,000 ticks a second, as much as a trading program subscribes to."""
LOUDER = 1.1
"""How much a neighbour's p99 may grow. Five seconds on a busy machine cannot tell; the long form judges it."""


def p99(seconds: list[float]) -> float:
    """Give the 99th percentile, in milliseconds."""
    return sorted(seconds)[int(len(seconds) * 0.99)] * 1000


async def receive(bot: ClientConnection, sent: list[float], delays: list[float]) -> None:
    """Take ticks; their price is the number of their frame."""
    async for message in bot:
        if isinstance(message, bytes) and len(message) > len(WATCHED):
            number = int.from_bytes(message[8:12], "big")
            delays.append(time.monotonic() - sent[number])


@contextlib.asynccontextmanager
async def neighbours(world: World, sent: list[float], delays: list[float]) -> AsyncIterator[None]:
    """Connect clients that read all the time."""
    async with contextlib.AsyncExitStack() as stack:
        bots = [await stack.enter_async_context(world.client()) for _ in range(NEIGHBOURS)]
        for bot in bots:
            await bot.send(json.dumps({"a": "mode", "v": ["full", list(WATCHED)]}))
            await (await bot.ping())
        tasks = [asyncio.ensure_future(receive(bot, sent, delays)) for bot in bots]
        yield
        for task in tasks:
            task.cancel()


async def tick(world: World, sent: list[float], delays: list[float], frames: int) -> list[float]:
    """Let instruments tick at their pace; returns the delays that the neighbours saw."""
    delays.clear()
    for _ in range(frames):
        sent.append(time.monotonic())
        price = len(sent) - 1
        world.bus.publish([(token, full_packet(token, price)) for token in WATCHED])
        await asyncio.sleep(PAUSE)
    await until(lambda: len(delays) >= frames * NEIGHBOURS)
    return list(delays)


def kept(world: World) -> int:
    """Count the bytes that wait for clients."""
    return sum(
        sum(map(len, client._backlog.values())) + client.transport.get_write_buffer_size()
        for client in world.relay._clients
    )


@pytest.mark.promise(13)
@pytest.mark.xdist_group("processes")
@pytest.mark.timeout(600)
async def test_a_stalled_client_is_closed_in_time_and_costs_little(
    measured: Callable[[str, object], None], at_scale: Callable[[int, int], int], patience: float
) -> None:
    """It is closed with 4008 within 10 seconds, never holds more than 1 MiB, and its neighbours notice nothing."""
    rounds = at_scale(1, 20)
    judged = rounds > 1
    alone: list[float] = []
    beside: list[float] = []
    sent: list[float] = []
    delays: list[float] = []
    most, longest = 0, 0.0
    async with relay_world(clients_per_key=NEIGHBOURS + 2) as world, neighbours(world, sent, delays):
        for _ in range(rounds):
            dropped = world.relay.stats.closes[4008]
            alone += await tick(world, sent, delays, FRAMES)
            async with stalled(world):
                began = time.monotonic()
                while world.relay.stats.closes[4008] == dropped:
                    beside += await tick(world, sent, delays, 10)
                    most = max(most, kept(world))
                    assert time.monotonic() - began <= CLOSED * patience
                longest = max(longest, time.monotonic() - began)
    measured("seconds until the stalled client is closed", round(longest, 1))
    measured("most bytes waiting for it", most)
    measured("p99 of its neighbours without it, ms (judged in the long form)", round(p99(alone), 2))
    measured("p99 beside it, ms", round(p99(beside), 2))
    assert most <= QUEUE
    measured("their medians without and beside it, ms", [round(median(found) * 1000, 2) for found in (alone, beside)])
    if judged:
        assert p99(beside) <= p99(alone) * LOUDER
