"""Keys in a running system: made and revoked by the command, used at the real worker, seen on the status page."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from functions.status.app import answer
from functions.status.routes import build
from functions.status.services import from_environment
from tests.fakes.status_api import http_event
from tests.fakes.worker_process import ROOT, WorkerProcess
from tools.simulator import Simulator

REVOKED = 60.0
NAMES = ("ai_analysis", "news_detection")
pytestmark = [pytest.mark.promise(20), pytest.mark.xdist_group("processes"), pytest.mark.timeout(180)]


class House:
    """One machine's file, the worker that reads it, the command that writes it, the page that tells."""

    def __init__(self, folder: Path, sim: Simulator) -> None:
        self.worker = WorkerProcess(folder, sim)
        self._file = str(folder / ".env")
        environment = {"ENV_FILE": self._file, "STACK_NAME": "kite-relay", "PARAMETER_PREFIX": "/kite-relay"}
        self._app = build(from_environment(environment))

    async def keys(self, *arguments: str) -> str:
        """Run `kite-relay keys`."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from tools.cli.main import main; main()", "keys", *arguments),
            cwd=ROOT,
            env={**os.environ, "ENV_FILE": self._file},
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        assert process.returncode == 0
        return out.decode().strip()

    def url(self, key: str) -> str:
        """Give the relay's address for a key; the name in it is not the key's, and must not matter."""
        return f"ws://127.0.0.1:{self.worker.relay_port}/?api_key=anything&access_token={key}"

    async def knock(self, key: str) -> int:
        """Try a key; gives the handshake's status."""
        try:
            async with connect(self.url(key), proxy=None):
                return 101
        except InvalidStatus as refused:
            return refused.response.status_code

    def health(self, key: str) -> dict[str, Any]:
        """Ask the status function, with a relay key as the pass."""
        event = http_event("GET", "/api/health/detailed", headers={"authorization": f"Bearer {key}"})
        return dict(json.loads(answer(lambda: self._app, event, None)["body"]))

    async def until(self, key: str, seen: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Ask for the health until it is so."""
        async with asyncio.timeout(30):
            while not seen(body := await asyncio.to_thread(self.health, key)):  # noqa: ASYNC110 - in another process
                await asyncio.sleep(0.1)
        return body


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[tuple[House, dict[str, str]]]:
    """Make two keys, and start the worker; gives the keys by their names."""
    async with Simulator(updates=5) as sim:
        here = House(folder, sim)
        keys = {name: await here.keys("create", name) for name in NAMES}
        await here.worker.start()
        try:
            await here.worker.ready()
            yield here, keys
        finally:
            if here.worker.running.returncode is None:
                await here.worker.kill()


async def read(bot: ClientConnection) -> tuple[int | None, float]:
    """Read to a connection's end; gives its code, and when it came."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            await bot.recv()
    return bot.close_code, time.monotonic()


async def test_keys_are_seen_used_guessed_and_revoked(tmp_path: Path, measured: Callable[[str, object], None]) -> None:
    """Features by name, a guesser as a finding, a revocation on an open socket; the neighbour notices nothing."""
    async with house(tmp_path) as (here, keys), connect(here.url(keys["news_detection"]), proxy=None) as news:
        reading = asyncio.ensure_future(read(news))
        seen = await here.until(keys["news_detection"], lambda body: body["features"]["news_detection"] == "active")
        assert seen["features"]["ai_analysis"] == "not_connected"
        async with connect(here.url(keys["ai_analysis"]), proxy=None) as bot:
            await here.until(keys["news_detection"], lambda body: body["features"]["ai_analysis"] == "active")
            tried = [await here.knock(f"kr_guess{number}") for number in range(12)]
            measured("guesses heard before the lock, in a real worker", tried.count(403))
            assert tried == [403] * 10 + [429] * 2
            await here.until(
                keys["news_detection"],
                lambda body: "relay_guessing" in {finding["code"] for finding in body["findings"]},
            )
            assert await here.knock(keys["ai_analysis"]) == 101, "the lock hit a program that was there before"
            began = time.monotonic()
            await here.keys("revoke", "ai_analysis", "--yes")
            code, at = await asyncio.wait_for(read(bot), REVOKED)
        measured("seconds from a revocation to the end of an open socket", round(at - began, 1))
        assert code == 4001
        await here.until(keys["news_detection"], lambda body: body["features"]["ai_analysis"] != "active")
        assert await here.knock(keys["ai_analysis"]) in (403, 429)
        await (await news.ping())
        assert not reading.done()
        reading.cancel()
