"""Starts the simulated Kite and the programs, each in a process of its own, and talks to them."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import aiohttp

from tools.bench.handover.ticker import Task

ANSWER_TIMEOUT = 90
_PIPE = asyncio.subprocess.PIPE


class Program:
    """A child process that answers orders. Use as `async with`."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        module = "tools.bench.handover.program"
        command = (sys.executable, "-m", module)
        self._process = await asyncio.create_subprocess_exec(*command, stdin=_PIPE, stdout=_PIPE, limit=1 << 24)
        self._write(self._task)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.close()
            await self._process.wait()

    async def do(self, what: str, **arguments: Any) -> dict[str, Any]:
        """Give an order; returns the answer."""
        self._write({"do": what, **arguments})
        if self._process is None or self._process.stdout is None:
            raise RuntimeError("the program was not started")
        line = await asyncio.wait_for(self._process.stdout.readline(), ANSWER_TIMEOUT)
        if not line:
            raise RuntimeError(f"the {self._task['role']} ended at '{what}'")
        return dict(json.loads(line))

    async def ended(self) -> None:
        """Wait for its end."""
        if self._process:
            await self._process.wait()

    def _write(self, order: dict[str, Any]) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")


class Kite:
    """A simulated Kite in its own process, told by HTTP."""

    def __init__(self, port: int, session: aiohttp.ClientSession) -> None:
        self.port = port
        self._session = session

    @property
    def ticker_root(self) -> str:
        """Where the ticker is."""
        return f"ws://127.0.0.1:{self.port}/ticker"

    async def tell(self, control: str, **arguments: Any) -> dict[str, Any]:
        """Tell it one thing."""
        async with self._session.post(f"http://127.0.0.1:{self.port}/sim/{control}", json=arguments) as answer:
            answer.raise_for_status()
            return dict(await answer.json())

    async def mint(self) -> str:
        """Have a new token, as after a login."""
        return str((await self.tell("mint"))["access_token"])

    async def subscribed(self, count: int) -> None:
        """Wait until a socket carries so many instruments."""
        while not any(each["instruments"] == count for each in await self.sockets()):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)

    async def packets(self) -> int:
        """Tell how many packets the open sockets were sent."""
        return sum(each["packets"] for each in await self.sockets())

    async def sockets(self) -> list[dict[str, Any]]:
        """Tell about the open sockets."""
        return list((await self.tell("state"))["sockets"])

    async def alone(self) -> None:
        """Wait until no socket is open."""
        while await self.sockets():  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.02)


@asynccontextmanager
async def kite(updates: float, frames: float) -> AsyncIterator[Kite]:
    """Start a simulated Kite on a free port, and end it."""
    options = ("--port", "0", "--updates", str(updates), "--frames", str(frames))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-m", "tools.simulator", *options, stdout=_PIPE
    )
    try:
        line = await asyncio.wait_for(process.stdout.readline() if process.stdout else asyncio.sleep(0, b""), 30)
        port = int(line.decode().partition("localhost:")[2].partition("/")[0])
        async with aiohttp.ClientSession() as session:
            yield Kite(port, session)
    finally:
        process.terminate()
        await process.wait()


def now() -> float:
    """Tell the clock that all processes of this machine share."""
    return time.monotonic()
