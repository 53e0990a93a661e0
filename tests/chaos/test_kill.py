"""Start and recovery are one path: the real worker is killed at any moment, and asked to end."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.worker_process import worker_process
from tools.simulator import Simulator

READY, FIRST_TICK, DRAINED = 5.0, 10.0, 5.0
pytestmark = [
    pytest.mark.measures,
    pytest.mark.promise(18),
    pytest.mark.xdist_group("processes"),
    pytest.mark.timeout(3600),
]


async def test_a_worker_that_was_killed_is_back(
    tmp_path: Path, measured: Callable[[str, object], None], at_scale: Callable[[int, int], int], patience: float
) -> None:
    """Killed at random moments, ticks flowing or not yet: ready within 5 seconds, first tick within 10, each time."""
    deaths = at_scale(3, 100)
    dice = random.Random(18)  # noqa: S311 - test data
    ready: list[float] = []
    ticked: list[float] = []
    async with Simulator(updates=5) as simulator, worker_process(tmp_path, simulator) as worker:
        tokens = [token for token in simulator.market.catalog.by_token if token & 0xFF == 1][:1000]
        await worker.ready()
        for _ in range(deaths):
            await worker.kill()
            await worker.start()
            ready.append(await worker.ready())
            async with worker.client(*tokens) as bot:
                ticked.append(await worker.first_tick(bot))
                await asyncio.sleep(dice.uniform(0, 0.5))
            await worker.kill()
            await worker.start()
            await asyncio.sleep(dice.uniform(0, 2))
        ready.append(await worker.ready())
    measured("kills", 2 * deaths)
    measured("seconds to ready, longest", round(max(ready), 2))
    measured("seconds to a client's first tick, longest", round(max(ticked), 2))
    assert max(ready) <= READY * patience
    assert max(ticked) <= FIRST_TICK * patience


async def test_a_worker_that_is_asked_to_end_says_come_back(
    tmp_path: Path, measured: Callable[[str, object], None], at_scale: Callable[[int, int], int], patience: float
) -> None:
    """SIGTERM: clients get 1012, the exit code is 0, within 5 seconds."""
    ends = []
    async with Simulator(updates=5) as simulator, worker_process(tmp_path, simulator) as worker:
        for number in range(at_scale(2, 20)):
            if number:
                await worker.start()
            await worker.ready()
            async with worker.client(256265) as bot:
                await worker.first_tick(bot)
                ends.append(await worker.terminate(bot))
    measured("SIGTERMs", len(ends))
    measured("seconds to the end, longest", round(max(end["seconds"] for end in ends), 2))
    assert {(end["exit"], end["close"]) for end in ends} == {(0, 1012)}
    assert max(end["seconds"] for end in ends) <= DRAINED * patience
