"""One program of the benchmark: reads orders as lines of JSON, answers each with one. The first line is its task."""

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from tools.bench.handover.readers import READERS
from tools.bench.handover.ticker import WAYS, Task, Ticking, install_reactor

Order = dict[str, Any]
Answer = dict[str, Any]
Role = Callable[[Order], Awaitable[Answer]]


def numbers(ticking: Ticking) -> dict[str, int]:
    """Give the newest number of every instrument, to be carried over a restart."""
    return {str(token): number for (token, _), number in ticking.tally.last.items()}


def report(ticking: Ticking) -> Answer:
    """Tell what was lost and what came twice."""
    tally = ticking.tally
    return {
        "packets": tally.packets,
        "lost": tally.lost,
        "duplicates": tally.duplicates,
        "closes": ticking.closes,
        "pause": ticking.longest_pause,
    }


class Changer:
    """A program that holds one connection and changes its token in one of the ways."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._ticking = Ticking(task)
        self._ticker: Any = None

    async def __call__(self, order: Order) -> Answer:
        """Do one order."""
        answer: Answer = await getattr(self, f"_{order.pop('do')}")(**order)
        return answer

    async def _connect(self, token: str, numbers: dict[str, int] | None = None) -> Answer:
        """Dial, and wait until all flows; with numbers, go on counting from there."""
        self._ticking = Ticking(self._task)
        if numbers is not None:
            self._ticking.tally.last = {(int(token), 1 << 32): number for token, number in numbers.items()}
        began = time.monotonic()
        self._ticker = self._ticking.dial(token)
        first = await asyncio.wait_for(self._ticking.await_first(self._ticker), 30)
        if numbers is None:
            await self._ticking.flowing()
        return {"seconds": first - began, "at": first}

    async def _swap(self, way: str, token: str) -> Answer:
        self._ticking.count()
        began = time.monotonic()
        self._ticker, first = WAYS[way](self._ticking, self._ticker, token)
        return {"seconds": await asyncio.wait_for(first, 60) - began}

    async def _report(self) -> Answer:
        return report(self._ticking)

    async def _leave(self) -> Answer:
        """Close; the numbers are what a next program may go on from."""
        self._ticker.close()
        return {"numbers": numbers(self._ticking)}

    async def _die(self) -> Answer:
        """End this process at once, as a restart does; the numbers go on."""
        answer = {"numbers": numbers(self._ticking)}
        print(json.dumps(answer), flush=True)
        os._exit(0)


class Listener:
    """A client of the relay: the official KiteTicker with `root` changed, for ever."""

    def __init__(self, task: Task) -> None:
        self._ticking = Ticking(task)
        self._ticking.dial(task["relay_key"])

    async def __call__(self, order: Order) -> Answer:
        """Begin to count, or tell."""
        if order["do"] == "count":
            await self._ticking.flowing()
            self._ticking.tally.last.clear()
            self._ticking.count()
        return report(self._ticking)


class Worker:
    """The worker's feed and relay."""

    def __init__(self, task: Task) -> None:
        from tools.bench.handover.ours import Ours  # noqa: PLC0415 - the other programs do not carry it

        self._ours = Ours(task)

    async def __call__(self, order: Order) -> Answer:
        """Start, change the token, rest, or tell the footprint."""
        match order["do"]:
            case "start":
                return {"port": await self._ours.start()}
            case "swap":
                return {"seconds": await self._ours.swap(order["token"])}
            case "rest":
                await self._ours.rest()
        return dict(self._ours.footprint())


class Reader:
    """A program that only reads."""

    def __init__(self, task: Task) -> None:
        self._reader = READERS[task["reader"]](task)

    async def __call__(self, _order: Order) -> Answer:
        """Tell how much CPU time this process has used."""
        return {"seconds": time.process_time()}


ROLES: dict[str, Callable[[Task], Role]] = {
    "changer": Changer,
    "listener": Listener,
    "worker": Worker,
    "reader": Reader,
}


async def main() -> None:
    """Read the task, then do the orders until stdin ends."""
    install_reactor()
    import_module("kiteconnect")
    logging.disable(logging.CRITICAL)  # KiteTicker logs every close as an error
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    task = json.loads(await reader.readline())
    role = ROLES[task["role"]](task)
    while line := await reader.readline():
        print(json.dumps(await role(json.loads(line))), flush=True)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
