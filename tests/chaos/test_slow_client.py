"""One client takes no byte and one a thousand a second, at the real time-outs: what 198 others notice, and the cost."""

import asyncio
import contextlib
import json
import os
import socket
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import pytest

from tests.chaos.crowd import now
from tests.fakes.relay_world import World, full_packet, relay_world, until
from tests.unit.relay.test_slow import masked, shake_hands, stalled

CROWD = Path(__file__).with_name("crowd.py")
CLOSED, QUEUE, GROWTH = 10.0, 1 << 20, 20e6
WATCHED = range(1, 101)
"""Instruments of each neighbour and of the slow client; the stalled one wants all 3,000."""
PAUSE = 0.05
"""Between two frames of 100 ticks: 2,000 ticks a second, as much as a trading program subscribes to."""
STEP = 0.5
"""Seconds after which it is looked whether the stalled client is closed."""
TRICKLE = 1000
"""Bytes a second that the slow client takes."""
LOUDER = 1.1
"""How much the neighbours' p99 may grow. A few seconds on a busy machine cannot tell; the long form judges it."""

pytestmark = pytest.mark.measures


class Crowd:
    """The neighbours, in a process of their own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def heard(self) -> dict[str, Any]:
        """Read what they saw since the last time."""
        assert self._process.stdout is not None
        return dict(json.loads(await self._process.stdout.readline()))

    async def report(self) -> dict[str, Any]:
        """Ask what they saw since the last time."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        return await self.heard()


@contextlib.asynccontextmanager
async def neighbours(world: World, count: int) -> AsyncIterator[Crowd]:
    """Connect clients that read all the time."""
    command = (str(CROWD), str(world.relay.port), str(count), str(len(WATCHED)))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, env={**os.environ, "RELAY_KEY": world.key}, stdin=PIPE, stdout=PIPE
    )
    try:
        crowd = Crowd(process)
        await crowd.heard()
        await until(lambda: len(world.wanted.get("relay", {})) == len(WATCHED))
        yield crowd
    finally:
        process.kill()
        await process.wait()


async def sip(plain: socket.socket) -> None:
    """Take bytes slowly, for ever."""
    plain.setblocking(False)  # noqa: FBT003 - the standard library's signature
    while await asyncio.get_running_loop().sock_recv(plain, TRICKLE):  # noqa: ASYNC110 - its pace
        await asyncio.sleep(1.0)


@contextlib.asynccontextmanager
async def slow(world: World) -> AsyncIterator[asyncio.Task[None]]:
    """Connect a client that takes a thousand bytes a second."""
    with socket.socket() as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)  # the loopback's own would move in lumps of 64 kB
        plain.settimeout(5)
        await asyncio.to_thread(shake_hands, world, None, plain)
        plain.sendall(masked(json.dumps({"a": "mode", "v": ["full", list(WATCHED)]}).encode()))
        sipping = asyncio.ensure_future(sip(plain))
        yield sipping
        sipping.cancel()


async def tick(world: World, seconds: float) -> None:
    """Let instruments tick at their pace."""
    began = time.monotonic()
    for number in range(int(seconds / PAUSE)):
        price = now()
        world.bus.publish([(token, full_packet(token, price)) for token in WATCHED])
        await asyncio.sleep(max(0.0, began + (number + 1) * PAUSE - time.monotonic()))


def kept(world: World) -> int:
    """Count the bytes that wait for the client for whom most wait."""
    return max(
        sum(map(len, client._backlog.values())) + client.transport.get_write_buffer_size()
        for client in world.relay._clients
    )


@dataclass
class Seen:
    """What was measured in all rounds."""

    alone: list[float]
    beside: list[float]
    longest: float = 0.0
    most: int = 0
    ended: int = 0

    async def round(self, world: World, crowd: Crowd, patience: float) -> None:
        """Measure the neighbours beside the bad clients until the stalled one is closed, then as long without them."""
        closed = world.relay.stats.closes[4008]
        steps = 0
        async with slow(world) as sipping, stalled(world):
            await crowd.report()
            began = time.monotonic()
            while world.relay.stats.closes[4008] == closed:
                await self._step(world)
                steps += 1
                assert time.monotonic() - began <= CLOSED * patience
            self.longest = max(self.longest, time.monotonic() - began)
            self.beside.append((await crowd.report())["p99"])
            assert not sipping.done(), "the slow client was closed too"
            assert world.relay.stats.closes[4008] == closed + 1
        await self._step(world)
        await crowd.report()
        for _ in range(steps):
            await self._step(world)
        report = await crowd.report()
        self.alone.append(report["p99"])
        self.ended = report["ended"]

    async def _step(self, world: World) -> None:
        await tick(world, STEP)
        self.most = max(self.most, kept(world))


@pytest.mark.promise(13)
@pytest.mark.xdist_group("processes")
@pytest.mark.timeout(1800)
async def test_two_bad_clients_cost_their_neighbours_nothing(
    measured: Callable[[str, object], None], at_scale: Callable[[int, int], int], patience: float
) -> None:
    """The stalled one is closed with 4008 within 10 seconds, the slow one stays, neither holds more than 1 MiB."""
    rounds, crowd_size = at_scale(1, 45), at_scale(38, 198)
    seen, process = Seen([], []), psutil.Process()
    async with relay_world(clients_per_key=crowd_size + 2) as world, neighbours(world, crowd_size) as crowd:
        await tick(world, 1.0)
        before = process.memory_info().rss
        for _ in range(rounds):
            await seen.round(world, crowd, patience)
        growth = process.memory_info().rss - before
    ratio = median(beside / alone for alone, beside in zip(seen.alone, seen.beside, strict=True))
    measured("neighbours, at 2,000 ticks/s each", crowd_size)
    measured("rounds, stalled clients", rounds)
    measured("longest seconds until a stalled client is closed", round(seen.longest, 1))
    measured("most bytes waiting for one client", seen.most)
    measured("neighbours' p99 without them, ms, median", round(median(seen.alone), 2))
    measured("p99 beside them", round(median(seen.beside), 2))
    measured("ratio, median of rounds (judged in the long form)", round(ratio, 3))
    measured("growth of memory, MB", round(growth / 1e6, 1))
    assert seen.ended == 0, "a neighbour was disconnected"
    assert seen.most <= QUEUE
    assert growth <= GROWTH
    if rounds > 1:
        assert ratio <= LOUDER
