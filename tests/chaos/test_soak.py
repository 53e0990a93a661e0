"""A worker that lives long: as many handovers as a day has minutes, and it holds no more than it did at first."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression, median

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import ClientConnection

from tests.conftest import SOAK
from tests.fakes.worker_process import USER, WorkerProcess, worker_process
from tools.simulator import Simulator

INSTRUMENTS = 500
MOVED = "kite_relay_token_swaps_total"
WARM_UP = 1 / 3
"""The share of the time in which caches fill and the allocator finds its size."""
MOST_MB_PER_100_HANDOVERS = 1.0
MOST_MORE = 2
"""File descriptors, and tasks, by which the second half may be above the first."""
pytestmark = [pytest.mark.promise(10), pytest.mark.xdist_group("processes"), pytest.mark.timeout(3600)]


@dataclass(frozen=True, slots=True)
class Sample:
    """What the worker holds when a handover is over."""

    rss: float
    descriptors: int
    tasks: float


async def metric(worker: WorkerProcess, name: str) -> float:
    """Read one of the worker's metrics."""
    text = (await worker.get("/metrics"))[1].decode()
    return sum(s.value for family in text_string_to_metric_families(text) for s in family.samples if s.name == name)


async def hand_over(worker: WorkerProcess, simulator: Simulator) -> Sample:
    """Store a new token, wait until everything flows on it alone, and look at the worker."""
    before = await metric(worker, MOVED)
    worker.store(str(simulator.mint(USER)["access_token"]))
    async with asyncio.timeout(60):
        while await metric(worker, MOVED) == before or len(simulator.ticker.connections) > 1:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
    process = psutil.Process(worker.running.pid)
    tasks = await metric(worker, "kite_relay_tasks")
    return Sample(process.memory_info().rss / 1e6, process.num_fds(), tasks)


async def read(bot: ClientConnection) -> None:
    """Take everything, for ever."""
    async for _ in bot:
        pass


def halves(values: list[float]) -> float:
    """Tell by how much the second half's median is above the first's."""
    middle = len(values) // 2
    return median(values[middle:]) - median(values[:middle])


async def test_handover_after_handover_the_worker_stays_as_it_is(
    tmp_path: Path, measured: Callable[[str, object], None], at_scale: Callable[[float, float], float]
) -> None:
    """Memory, tasks and file descriptors are flat after the warm-up, and its client is never disconnected."""
    samples: list[Sample] = []
    async with Simulator(updates=2) as simulator, worker_process(tmp_path, simulator) as worker:
        tokens = [token for token in simulator.market.catalog.by_token if token & 0xFF == 1][:INSTRUMENTS]
        await worker.ready()
        async with worker.client(*tokens) as bot:
            reading = asyncio.ensure_future(read(bot))
            for _ in range(int(at_scale(150, 1440))):
                samples.append(await hand_over(worker, simulator))
                await asyncio.sleep(at_scale(0, 0.2))
            assert not reading.done(), f"disconnected: {bot.close_code}"
            reading.cancel()
    warm = samples[int(len(samples) * WARM_UP) :]
    slope, _ = linear_regression(range(len(warm)), [sample.rss for sample in warm])
    descriptors, tasks = halves([s.descriptors for s in warm]), halves([s.tasks for s in warm])
    measured("soak: handovers", len(samples))
    measured("soak: RSS, MB, when warm and at the end", [round(warm[0].rss, 1), round(warm[-1].rss, 1)])
    measured("soak: RSS slope, MB per 100 handovers", round(slope * 100, 2))
    measured("soak: more file descriptors, more tasks", [descriptors, tasks])
    assert max(descriptors, tasks) <= MOST_MORE
    if SOAK:  # the allocator needs more than the short form's seconds to find its size
        assert slope * 100 <= MOST_MB_PER_100_HANDOVERS
