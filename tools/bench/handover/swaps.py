"""New token known -> first tick on it, and what was lost, for every way, load and network."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date

from tools.bench.handover.processes import Kite, Program, kite, now
from tools.bench.handover.ticker import LISTENER, RELAY_KEY, Task
from tools.simulator.catalog import NSE, Catalog
from tools.simulator.server import API_KEY


@dataclass(frozen=True, slots=True)
class Load:
    """What flows while the token changes.

    Args:
        name: in the table.
        instruments: how many.
        updates: of each, per second.
        settle: seconds after the change in which every instrument moves at least once, so that every loss shows.
    """

    name: str
    instruments: int
    updates: float
    settle: float


FRAMES = 50.0
LOADS = (Load("50 frames/s", 1, 50, 0.4), Load("3000 x 1/s", 3000, 1, 1.3))
DELAYS = (0, 50, 200)
"""Milliseconds that a handshake takes longer: the network."""
LATE = 150
"""Milliseconds by which the old socket's packets come later than the new one's, where they do."""
WAYS = ("bare_dial", "ours", "ours_dies", "close_then_open", "own_retry", "restart")


@dataclass(frozen=True, slots=True)
class Sample:
    """One change of the token, as whoever reads the ticks notices it; `pause` is the longest silence, in seconds."""

    seconds: float
    lost: int = 0
    duplicates: int = 0
    disconnects: int = 0
    pause: float = 0.0


@dataclass(slots=True)
class Bench:
    """The programs of one load."""

    load: Load
    kite: Kite
    changer: Program
    worker: Program
    listener: Program
    task: Task

    async def sample(self, way: str, delay: int) -> Sample:
        """Change the token once, in one way."""
        run = {"bare_dial": self._bare, "restart": self._restart}.get(way)
        if run:
            sample = await run(delay)
        elif way.startswith("ours"):
            sample = await self._ours(delay, dies=way == "ours_dies", late=LATE if way == "ours_late" else 0)
        else:
            sample = await self._change(way, delay)
        await self._delay(0)
        await self.kite.alone()
        return sample

    async def _bare(self, delay: int) -> Sample:
        """Dial and subscribe, and nothing else: the limit of the protocol with this client."""
        token = await self.kite.mint()
        await self._delay(delay)
        seconds = (await self.changer.do("connect", token=token))["seconds"]
        await self.changer.do("leave")
        return Sample(seconds)

    async def _change(self, way: str, delay: int) -> Sample:
        await self.changer.do("connect", token=await self.kite.mint())
        await self._delay(delay)
        seconds = (await self.changer.do("swap", way=way, token=await self.kite.mint()))["seconds"]
        await asyncio.sleep(self.load.settle)
        found = await self.changer.do("report")
        await self.changer.do("leave")
        return Sample(seconds, found["lost"], found["duplicates"], found["closes"], found["pause"])

    async def _restart(self, delay: int) -> Sample:
        async with Program(self.task) as first:
            await first.do("connect", token=await self.kite.mint())
            await self._delay(delay)
            token = await self.kite.mint()
            began = last = now()
            numbers = (await first.do("die"))["numbers"]
            await first.ended()
        async with Program(self.task) as second:
            at = (await second.do("connect", token=token, numbers=numbers))["at"]
            await asyncio.sleep(self.load.settle)
            found = await second.do("report")
        return Sample(at - began, found["lost"], found["duplicates"], 1, at - last)

    async def _ours(self, delay: int, *, dies: bool, late: int) -> Sample:
        await self.worker.do("swap", token=await self.kite.mint())
        await self._delay(delay)
        await self.kite.tell("old-socket", mode="dies" if dies else "survives")
        await self.listener.do("count")
        await self.kite.tell("lag", ms=late)
        await asyncio.sleep(self.load.settle)
        seconds = (await self.worker.do("swap", token=await self.kite.mint()))["seconds"]
        await asyncio.sleep(self.load.settle)
        found = await self.listener.do("report")
        await self.kite.tell("old-socket", mode="survives")
        await self.worker.do("rest")
        return Sample(seconds, found["lost"], found["duplicates"], found["closes"], found["pause"])

    async def _delay(self, milliseconds: int) -> None:
        await self.kite.tell("delay", handshake_ms=milliseconds)


@asynccontextmanager
async def bench(load: Load) -> AsyncIterator[Bench]:
    """Start the programs of one load, and end them."""
    async with kite(load.updates, FRAMES) as simulated:
        task: Task = {
            "role": "changer",
            "api_key": API_KEY,
            "ticker_root": simulated.ticker_root,
            "instruments": instruments(load.instruments),
        }
        async with Program(task) as changer, Program(task | {"role": "worker"}) as worker:
            port = (await worker.do("start"))["port"]
            relay = {"role": "listener", "ticker_root": f"ws://127.0.0.1:{port}/", "relay_key": RELAY_KEY}
            async with Program(task | relay | {"api_key": LISTENER}) as listener:
                yield Bench(load, simulated, changer, worker, listener, task)


def instruments(count: int) -> Sequence[int]:
    """Choose instruments of the simulated market: shares, whose packets carry a number that does not wrap."""
    shares = [token for token in Catalog(date(2026, 1, 1)).by_token if token & 0xFF == NSE]
    return shares[:count]
