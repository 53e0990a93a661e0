"""The official clients, unmodified, as real processes: Python's and npm's, over ws:// and behind Caddy over wss://."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kite_relay.domain.relay_keys import Scope
from tests.documents import blocks, section
from tests.fakes.relay_world import INFY, NIFTY, World, full_packet, index_packet, relay_world, until

CLIENTS = Path(__file__).parent / "clients"
pytestmark = [pytest.mark.xdist_group("official clients"), pytest.mark.timeout(180)]


def need(*programs: str) -> None:
    """Skip, or fail in CI, when a program is missing."""
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        sentence = f"needs {' and '.join(missing)} (Debian: apt-get install nodejs npm caddy)"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(sentence)


async def run(*command: str, folder: Path | None = None) -> None:
    """Run a program to its end; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


class Program:
    """A client that runs; what it says is collected."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said: list[tuple[str, Any]] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            if line.startswith(b"{"):
                event = json.loads(line)
                self.said.append((event["what"], event["data"]))

    def count(self, what: str) -> int:
        """Tell how often something was said."""
        return sum(event == what for event, _ in self.said)

    async def stop(self) -> None:
        """End it."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self._reading


@asynccontextmanager
async def started(*command: str, **variables: str) -> AsyncIterator[Program]:
    """Start a client."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    program = Program(process)
    try:
        yield program
    finally:
        await program.stop()


async def command_of(language: str, tmp_path: Path, root: str) -> list[str]:
    """Give the command line of a client; npm's is installed first."""
    if language == "python":
        return [sys.executable, str(CLIENTS / "client.py"), root]
    need("node", "npm")
    for name in ("package.json", "client.js"):
        shutil.copy(CLIENTS / name, tmp_path)
    await run("npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent", folder=tmp_path)
    return ["node", str(tmp_path / "client.js"), root]


async def exercise(world: World, program: Program) -> None:
    """Let a client live through an ordinary day: ticks in two modes, an error text, an order, silence."""
    await until(lambda: len(world.wanted.get("relay", {})) == 2 and program.count("connect") == 1)
    await until(lambda: len(set(world.wanted["relay"].values())) == 2)
    world.tick(full_packet(INFY, 150_050), index_packet(NIFTY, 2_600_000))
    await until(lambda: program.count("tick") == 2)
    assert [data for what, data in program.said if what == "tick"] == [
        [INFY, "full", 1500.5],
        [NIFTY, "quote", 26000],
    ]
    for client in world.relay._clients:
        client.error("limit: an example")
    world.bus.publish_text('{"type": "order", "data": {"order_id": "7"}}')
    await until(lambda: program.count("order") == 1)
    assert program.count("disconnect") == 0


@pytest.mark.parametrize("language", ["python", "npm"])
async def test_an_official_client_needs_nothing_but_another_root(language: str, tmp_path: Path) -> None:
    """Ticks by its own parser, its mode per instrument, orders by scope; nothing disconnects it."""
    async with relay_world(heartbeat=1.0) as world:
        key = world.parameters.make("desk", Scope.TICKS, Scope.ORDERS)
        await world.relay.refresh_keys()
        command = await command_of(language, tmp_path, world.root)
        async with started(*command, RELAY_KEY=key) as program:
            await exercise(world, program)


async def test_the_npm_client_stays_on_heartbeats_alone(tmp_path: Path) -> None:
    """It leaves after 5 to 10 seconds without a byte: with heartbeats it does not."""
    async with relay_world(heartbeat=1.0) as world:
        command = await command_of("npm", tmp_path, world.root)
        async with started(*command, RELAY_KEY=world.key) as program:
            await until(lambda: program.count("connect") == 1)
            await asyncio.sleep(11)  # the silence itself is what is tested
            assert (program.count("connect"), program.count("disconnect")) == (1, 0)


async def test_the_python_client_comes_back_after_a_restart(tmp_path: Path) -> None:
    """1012, then the same port: it reconnects and restores its own subscriptions."""
    world = World()
    await world.relay.start()
    command = await command_of("python", tmp_path, world.root)
    async with started(*command, RELAY_KEY=world.key) as program:
        await until(lambda: len(world.wanted.get("relay", {})) == 2)
        await world.relay.stop()
        await until(lambda: program.count("disconnect") == 1)
        again = World(port=world.relay.port)
        async with again.relay:
            await until(lambda: len(set(again.wanted.get("relay", {}).values())) == 2)


async def test_the_three_lines_of_the_readme_are_a_bot(tmp_path: Path) -> None:
    """With this relay's address and key in them, and a handler, as ever, before the last one."""
    readme = Path(__file__).parents[2] / "README.md"
    (snippet,) = blocks(section(readme, "Use it with your bot, in three lines"))
    async with relay_world(heartbeat=1.0) as world:
        lines = snippet.replace("kr_...", world.key).replace("wss://relay.example.com", world.root).splitlines()
        assert len(lines) == 3
        lines.insert(2, "ticker.on_connect = lambda ws, _: ws.subscribe([256265])")
        lines.insert(2, """ticker.on_ticks = lambda _, ticks: print('{"what": "tick", "data": 1}', flush=True)""")
        bot = tmp_path / "bot.py"
        bot.write_text("\n".join(lines))
        async with started(sys.executable, str(bot)) as program:
            await until(lambda: len(world.wanted.get("relay", {})) == 1)
            world.tick(index_packet(NIFTY, 2_600_000))
            await until(lambda: program.count("tick") == 1)


async def test_the_example_prints_its_analysis() -> None:
    """The consumer that is shipped runs on the relay as it is."""
    async with relay_world(heartbeat=1.0) as world:
        example = [sys.executable, "-m", "tools.examples.live_analysis", world.root]
        process = await asyncio.create_subprocess_exec(
            *example, env={**os.environ, "RELAY_KEY": world.key}, stdout=asyncio.subprocess.PIPE
        )
        await until(lambda: len(world.wanted.get("relay", {})) == 3)
        world.tick(*(index_packet(token, 2_600_000) for token in (NIFTY, 260105, 265)))
        assert process.stdout
        lines = [(await process.stdout.readline()).decode() for _ in range(4)]
        process.kill()
        await process.wait()
        assert [line[:10] for line in lines] == ["NIFTY 50  ", "NIFTY BANK", "SENSEX    ", "breadth   "]
        assert "26000.00" in lines[0]
