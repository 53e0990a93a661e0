"""The real worker as a process of its own, over a file in place of AWS, against the simulated Kite."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from aiohttp import ClientError, ClientSession
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage

from kite_relay.domain.relay_keys import KeyRing, RelayKey, Scope, hash_key
from tests.fakes.canaries import API_SECRET, RELAY_KEY
from tools.simulator import Simulator

ROOT = Path(__file__).parents[2]
LOUD = ROOT / "tests" / "chaos" / "loud.py"
USER = "AB1234"
PATIENCE = 30.0
READY = 200


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as plain:
        plain.bind(("127.0.0.1", 0))
        return int(plain.getsockname()[1])


class WorkerProcess:
    """Starts, watches, kills; every start is the same command over the same folder.

    Args:
        folder: its file, its state, what it printed.
        simulator: its Kite.
        settings: more of its environment.
    """

    def __init__(self, folder: Path, simulator: Simulator, **settings: str) -> None:
        self.folder = folder
        self.relay_port, self.web_port = free_port(), free_port()
        self.output = folder / "output"
        self.process: asyncio.subprocess.Process | None = None
        self.started_at = 0.0
        self._settings = settings
        self._simulator = simulator
        self.token = str(simulator.mint(USER)["access_token"])
        self.store(self.token)

    def store(self, token: str) -> None:
        """Put a token into the file, as a person would by hand."""
        ring = KeyRing().add(RelayKey("bot", hash_key(RELAY_KEY), frozenset({Scope.TICKS}), datetime.now(UTC)))
        written = self.folder / ".env.new"
        written.write_text(
            f"KITE_API_KEY=simulatorkey\nKITE_API_SECRET={API_SECRET}\nKITE_ACCESS_TOKEN={token}\n"
            f"KITE_RELAY_KEYS='{json.dumps(json.loads(ring.to_json()))}'\n"
        )
        written.replace(self.folder / ".env")

    async def start(self) -> None:
        """Start it; says nothing about whether it is ready."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "ENV_FILE": str(self.folder / ".env"),
            "STATE_DIR": str(self.folder / "state"),
            "KITE_API_ROOT": self._simulator.rest_root,
            "KITE_TICKER_ROOT": self._simulator.ticker_root,
            "RELAY_PORT": str(self.relay_port),
            "WEB_PORT": str(self.web_port),
            "HEARTBEAT_SECONDS": "1",
            **self._settings,
        }
        loud = self._settings.get("LOG_LEVEL") == "DEBUG"
        command = (str(LOUD), "worker") if loud else ("-m", "worker.main")
        with self.output.open("ab") as output:
            self.started_at = time.monotonic()
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, *command, cwd=ROOT, env=environment, stdout=output, stderr=output
            )

    async def get(self, path: str) -> tuple[int, bytes]:
        """Ask its web side."""
        async with (
            ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.web_port}{path}", timeout=None) as answer,
        ):
            return answer.status, await answer.read()

    async def ready(self) -> float:
        """Wait until it says that it is ready; returns the seconds since it was started."""
        while time.monotonic() - self.started_at < PATIENCE:
            try:
                if (await self.get("/readyz"))[0] == READY:
                    return time.monotonic() - self.started_at
            except ClientError:
                assert self.running.returncode is None, self.output.read_text()[-3000:]
            await asyncio.sleep(0.02)
        raise AssertionError("never ready:\n" + self.output.read_text()[-3000:])

    async def findings(self) -> set[str]:
        """Ask what is wrong that hurts no client; it must be ready."""
        status, body = await self.get("/readyz")
        assert status == READY, body
        return {each["code"] for each in json.loads(body)["findings"]}

    @asynccontextmanager
    async def client(self, *tokens: int) -> AsyncIterator[ClientConnection]:
        """Connect a client of the relay, as soon as there is one, that wants some instruments."""
        while True:
            try:
                url = f"ws://127.0.0.1:{self.relay_port}/?api_key=bot&access_token={RELAY_KEY}"
                bot = await connect(url, proxy=None)
                break
            except (OSError, InvalidMessage):
                assert time.monotonic() - self.started_at < PATIENCE
                await asyncio.sleep(0.02)
        try:
            await bot.send(json.dumps({"a": "mode", "v": ["full", list(tokens)]}))
            yield bot
        finally:
            await bot.close()

    async def first_tick(self, bot: ClientConnection) -> float:
        """Wait for packets; returns the seconds since the worker was started."""
        while not isinstance(message := await bot.recv(), bytes) or len(message) < 2:
            pass
        return time.monotonic() - self.started_at

    async def until_dialled(self, simulator: Simulator, times: int) -> None:
        """Wait until Kite was dialled so often by this key."""
        while len(simulator.state()["dials"]) < times:
            assert self.running.returncode is None, self.output.read_text()[-3000:]
            await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """Kill it, without a word."""
        self.running.kill()
        assert await self.running.wait() == -signal.SIGKILL

    async def terminate(self, bot: ClientConnection, frames: list[bytes] | None = None) -> dict[str, Any]:
        """Ask it to end; tells its exit code, the seconds it took, and how its client's connection was closed.

        Args:
            bot: the client.
            frames: takes what it was sent and had not read yet.
        """
        began = time.monotonic()
        self.running.terminate()
        code = await asyncio.wait_for(self.running.wait(), PATIENCE)
        seconds = time.monotonic() - began
        try:
            while True:
                message = await bot.recv()
                if frames is not None:
                    frames.append(message.encode() if isinstance(message, str) else message)
        except ConnectionClosed:
            return {"exit": code, "seconds": seconds, "close": bot.close_code}

    def rss(self) -> float:
        """Tell its memory, in MB."""
        return float(psutil.Process(self.running.pid).memory_info().rss / 1e6)

    @property
    def running(self) -> asyncio.subprocess.Process:
        """The process."""
        assert self.process is not None, "it was not started"
        return self.process


@asynccontextmanager
async def worker_process(folder: Path, simulator: Simulator, **settings: str) -> AsyncIterator[WorkerProcess]:
    """Start a worker, and leave none behind."""
    worker = WorkerProcess(folder, simulator, **settings)
    await worker.start()
    try:
        yield worker
    finally:
        if worker.running.returncode is None:
            worker.running.kill()
            await worker.running.wait()
