"""Floods at the relay's door, from a process of their own: the real worker stays small, awake and precise."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from tests.fakes.canaries import RELAY_KEY
from tests.fakes.worker_process import worker_process
from tools.simulator import Simulator

pytestmark = pytest.mark.measures

FLOOD = Path(__file__).with_name("flood.py")
MOST_MEMORY = 256.0
LIMIT = 4009
NAMED = {"408", "503"}
"""What a slow handshake is told: too late, or too many."""
AWAKE = 250.0
"""Milliseconds within which a healthy client is answered, 99 times of 100; the machine must be quiet to judge it."""


async def watch(bot: ClientConnection, rss: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Take the worker's memory, and how long it takes to answer a healthy client, until cancelled."""
    memory, answers = [], []
    try:
        while True:
            began = time.monotonic()
            await (await bot.ping())
            answers.append(time.monotonic() - began)
            memory.append(rss())
            await asyncio.sleep(0.02)
    except asyncio.CancelledError:
        return memory, answers


async def read(bot: ClientConnection, seen: list[int]) -> None:
    """Count a healthy client's frames of ticks."""
    async for message in bot:
        seen[0] += isinstance(message, bytes) and len(message) > 1


async def flood(port: int, connects: int) -> dict[str, Any]:
    """Run the flood; tells what it did and what it was told."""
    arguments = (str(FLOOD), str(port), str(connects))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env={**os.environ, "RELAY_KEY": RELAY_KEY}, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()
    assert process.returncode == 0
    return dict(json.loads(told))


@pytest.mark.promise(14)
@pytest.mark.xdist_group("processes")
@pytest.mark.timeout(600)
async def test_a_flood_is_bounded(
    tmp_path: Path, measured: Callable[[str, object], None], at_scale: Callable[[Any, Any], Any]
) -> None:
    """2,000 connects a second, 400 slow handshakes, a frame of 1 MB, 10,000 messages at once, wrong keys in a row."""
    connects, judged = at_scale((5_000, False), (120_000, True))
    async with (
        Simulator(updates=10) as simulator,
        worker_process(tmp_path, simulator) as worker,
        worker.client(256265, 408065) as bot,
    ):
        await worker.ready()
        await worker.first_tick(bot)
        seen = [0]
        reading = asyncio.ensure_future(read(bot, seen))
        watching = asyncio.ensure_future(watch(bot, worker.rss))
        done = await flood(worker.relay_port, connects)
        after = seen[0]
        async with asyncio.timeout(10):
            while seen[0] <= after + 5:  # noqa: ASYNC110 - another process sends
                await asyncio.sleep(0.02)
        watching.cancel()
        memory, answers = await watching
        metrics = (await worker.get("/metrics"))[1].decode()
        reading.cancel()
        assert worker.running.returncode is None
    answers.sort()
    p99 = answers[int(len(answers) * 0.99)] * 1000
    for name, value in done.items():
        measured(name, value)
    measured("most memory, MB", round(max(memory)))
    measured("a healthy client's p99, ms (judged in the long form)", round(p99))
    assert max(memory) <= MOST_MEMORY
    assert done["1 MB frame"] == LIMIT
    assert done["10,000 messages"] == LIMIT
    assert done["slow handshakes"].keys() <= NAMED, "a stranger was turned away unheard"
    assert done["wrong keys"] == {"403": 10, "429": connects // 10 - 10}
    assert 'kite_relay_client_refusals_total{status="503"}' in metrics
    if judged:
        assert p99 <= AWAKE
