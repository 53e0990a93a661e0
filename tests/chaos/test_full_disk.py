"""A disk that is full, or cannot be written at all: the worker starts and runs, ticks flow, and it says so.

The kernel itself refuses: the worker's limit of a file's size is set to nothing (RLIMIT_FSIZE), so that every write to
the state, the versions of the `.env` file, the board and the log fails as on a full disk, until the limit is lifted.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from websockets.asyncio.client import ClientConnection

from tests.conftest import SOAK
from tests.fakes.worker_process import USER, WorkerProcess, worker_process
from tools.simulator import Simulator

TOLD, HEALED = 60.0, 75.0
TROUBLE = {"state_unwritable", "board_file_unreachable"}
pytestmark = [
    pytest.mark.promise(18),
    pytest.mark.xdist_group("processes"),
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets one process change another's limits"),
]


def fill_disk(worker: WorkerProcess, *, full: bool) -> None:
    """Let every write of the worker fail, or none."""
    room = 0 if full else psutil.RLIM_INFINITY
    psutil.Process(worker.running.pid).rlimit(psutil.RLIMIT_FSIZE, (room, psutil.RLIM_INFINITY))


async def until_told(worker: WorkerProcess, right: Callable[[set[str]], bool], limit: float) -> float:
    """Wait until the worker, ready all the while, says the right thing; gives the seconds that it took."""
    began = time.monotonic()
    while not right(await worker.findings()):
        assert time.monotonic() - began <= limit
        await asyncio.sleep(0.25)
    return time.monotonic() - began


async def read(bot: ClientConnection, enough: asyncio.Event) -> None:
    """Read for ever; tells when twenty frames of packets came."""
    count = 0
    async for message in bot:
        count += isinstance(message, bytes) and len(message) > 1
        if count % 20 == 0:
            enough.set()


def content(state: Path) -> bytes:
    """Read what is saved; nothing, if it never was."""
    return state.read_bytes() if state.exists() else b""


async def until_kept(state: Path, before: bytes) -> bytes:
    """Wait until the last prices are saved, other ones than before; gives them."""
    while (now := content(state)) == before:  # noqa: ASYNC110 - it is another process
        await asyncio.sleep(0.25)
    return now


async def test_a_disk_that_becomes_full_costs_no_tick_and_no_token(
    tmp_path: Path, measured: Callable[[str, object], None]
) -> None:
    """It is a finding; a token put by hand counts; nothing is half-written; once there is room all is well again."""
    state = tmp_path / "state" / "last_packets"
    async with Simulator(updates=5) as simulator, worker_process(tmp_path, simulator) as worker:
        await worker.ready()
        async with worker.client(256265) as bot:
            flowing = asyncio.Event()
            reading = asyncio.ensure_future(read(bot, flowing))
            kept = await until_kept(state, b"")
            fill_disk(worker, full=True)
            told = await until_told(worker, TROUBLE.issubset, TOLD)
            worker.store(str(simulator.mint(USER)["access_token"]))
            await worker.until_dialled(simulator, 2)
            flowing.clear()
            await asyncio.wait_for(flowing.wait(), 30)
            assert state.read_bytes() == kept
            assert {path.name for path in state.parent.iterdir()} == {state.name, "instruments.json"}
            if SOAK:  # a minute's rest of the circuit
                fill_disk(worker, full=False)
                healed = await until_told(worker, TROUBLE.isdisjoint, HEALED)
                measured("full disk: seconds until all is well again once there is room", round(healed, 1))
                await until_kept(state, kept)
            reading.cancel()
            end = await worker.terminate(bot)
        assert (end["exit"], end["close"]) == (0, 1012)
        assert len(simulator.state()["dials"]) == 2, "the token counted once"
    measured("full disk: seconds until it is told", round(told, 1))


@pytest.mark.parametrize("how", ["full", "read-only"])
async def test_a_worker_starts_without_a_disk(tmp_path: Path, how: str) -> None:
    """Nothing can be written from the first moment on, or the state folder cannot be made."""
    tmp_path.joinpath("file").write_text("")
    settings: dict[str, Any] = {} if how == "full" else {"STATE_DIR": str(tmp_path / "file" / "state")}
    async with Simulator(updates=5) as simulator, worker_process(tmp_path, simulator, **settings) as worker:
        if how == "full":
            fill_disk(worker, full=True)
        await worker.ready()
        async with worker.client(256265) as bot:
            await worker.first_tick(bot)
            await until_told(worker, lambda found: "state_unwritable" in found, TOLD)
            end = await worker.terminate(bot)
        assert (end["exit"], end["close"]) == (0, 1012)
