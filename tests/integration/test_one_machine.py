"""One machine without AWS: the real command, the simulated Kite, a login, a second one, a hand edit, a logout."""

import asyncio
import contextlib
import json
import os
import signal
import stat
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiohttp import ClientSession
from yarl import URL

from kite_relay.adapters import dotenv
from tests.fakes.canaries import API_SECRET, hits
from tests.fakes.worker_process import LOUD
from tools.devstack.browser import Browser, Login
from tools.devstack.places import Ports
from tools.simulator import Simulator

USER = "AB1234"
COMMAND = str(Path(sys.executable).with_name("kite-relay"))


class Eavesdropper(Browser):
    """A browser that remembers every secret that its addresses carried, and every page."""

    def __init__(self, page: str) -> None:
        super().__init__(page)
        self.secrets: dict[str, str] = {}
        self.pages: list[str] = []

    async def _redirect(self, method: str, url: URL, fields: dict[str, str] | None = None) -> URL:
        found = await super()._redirect(method, url, fields)
        for name in ("request_token", "state"):
            if value := found.query.get(name):
                self.secrets[f"{name} {len(self.secrets)}"] = value
        return found

    async def log_in(self, user_id: str) -> Login:
        """Log in; remembers the result page, the front page and the status."""
        login = await super().log_in(user_id)
        self.pages += [login.page, await self.get("/"), await self.get("/api/status")]
        return login


class Machine:
    """One running `kite-relay serve`."""

    def __init__(self, folder: Path, ports: Ports, process: asyncio.subprocess.Process) -> None:
        self.env_file = folder / ".env"
        self.page = f"http://localhost:{ports.page}"
        self.process = process

    async def until(self, seen: Callable[[dict[str, Any]], bool], seconds: float = 20) -> None:
        """Ask for the token's status until it is as wanted."""
        deadline, body = time.monotonic() + seconds, {}
        async with ClientSession() as session:
            while time.monotonic() < deadline:
                async with session.get(f"{self.page}/api/token-status") as answer:
                    body = await answer.json()
                if seen(body):
                    return
                await asyncio.sleep(0.1)
        raise AssertionError(f"never seen; the last was {body}")


@contextlib.asynccontextmanager
async def running(
    folder: Path, simulator: Simulator, command: Sequence[str] = (sys.executable, str(LOUD))
) -> AsyncIterator[Machine]:
    """Write the file, start the command, wait for its invitation, and end it like Ctrl-C."""
    ports = Ports.free()
    simulator.app(f"http://localhost:{ports.page}/callback")
    folder.joinpath(".env").write_text(
        f"# mine\nKITE_API_KEY=simulatorkey\nKITE_API_SECRET={API_SECRET}\nALLOWED_USER_IDS={USER}\n"
        f"KITE_API_ROOT={simulator.rest_root}\nKITE_LOGIN_ROOT={simulator.login_root}\n"
        f"KITE_TICKER_ROOT={simulator.ticker_root}\nRELAY_PORT={ports.relay}\nWEB_PORT={ports.worker}\n"
        f"STATE_DIR={folder}/state\nHEARTBEAT_SECONDS=1\nPUBLIC_URL=http://localhost:{ports.page}\n"
    )
    process = await asyncio.create_subprocess_exec(
        *(*command, "serve", "--port", str(ports.page)),
        cwd=Path(__file__).parents[2],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "ENV_FILE": str(folder / ".env"), "LOG_LEVEL": "DEBUG"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = bytearray()
    try:
        assert process.stdout is not None
        while b"press Log in" not in said:
            line = await asyncio.wait_for(process.stdout.readline(), 30)
            assert line, said.decode()
            said += line
        draining = asyncio.ensure_future(_drain(process.stdout, said))
        yield Machine(folder, ports, process)
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 10) == 0, said.decode()[-3000:]
        await draining
        folder.joinpath("output").write_bytes(said)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _status(body: dict[str, Any]) -> str:
    return str(body["token_expiry"]["status"])


async def _drain(stream: asyncio.StreamReader, said: bytearray) -> None:
    while chunk := await stream.read(65536):
        said += chunk


@pytest.mark.promise(5)
async def test_the_whole_day_on_one_machine(tmp_path: Path, measured: Callable[[str, object], None]) -> None:
    """Two logins, the second while ticks flow; a token put by hand; a logout. No secret, all libraries at DEBUG."""
    secrets = {"api secret": API_SECRET}
    async with Simulator(seed=3, api_secret=API_SECRET) as simulator, running(tmp_path, simulator) as machine:
        await machine.until(lambda body: _status(body) == "MISSING")
        async with Eavesdropper(machine.page) as browser:
            for generation in (1, 2):
                login = await browser.log_in(USER)
                assert "You are logged in" in login.page
                await machine.until(lambda body: body["token_expiry"]["verified_at"] is not None)
                secrets[f"token {generation}"] = dotenv.parse(machine.env_file.read_text())["KITE_ACCESS_TOKEN"]
                assert f'"version": {generation}' in machine.env_file.with_name(".env.versions").read_text()
        assert stat.S_IMODE(machine.env_file.stat().st_mode) == 0o600
        assert machine.env_file.read_text().startswith("# mine\n")
        by_hand = simulator.mint(USER)["access_token"]
        secrets["token 3"] = by_hand
        text = machine.env_file.read_text()
        machine.env_file.write_text(dotenv.update(text, {"KITE_ACCESS_TOKEN": by_hand}))
        await machine.until(lambda body: (body["credentials"]["token_length"], _status(body)) == (0, "VALID"), 30)
        assert '"version": 3' in machine.env_file.with_name(".env.versions").read_text()
        assert machine.process.returncode is None
    secrets |= browser.secrets
    output = tmp_path.joinpath("output").read_bytes()
    found = hits({"output": output, "pages": "\n".join(browser.pages).encode()}, secrets)
    measured("canaries through two logins", len(secrets))
    measured("pages searched", len(browser.pages))
    measured("lines at DEBUG", output.count(b"\n"))
    measured("hits", len(found))
    assert sum(name.startswith(("request_token", "state")) for name in secrets) >= 4
    assert found == []


async def test_the_command_as_it_is_typed(tmp_path: Path) -> None:
    """The installed `kite-relay serve`, and the other verbs in the same folder: the file is all that they share."""
    async with (
        Simulator(seed=4, api_secret=API_SECRET) as simulator,
        running(tmp_path, simulator, [COMMAND]) as machine,
    ):
        before = await _verb(tmp_path, "status", "--json")
        assert json.loads(before.out)["token_expiry"]["status"] == "MISSING"
        async with Browser(machine.page) as browser:
            assert "You are logged in" in (await browser.log_in(USER)).page
        await machine.until(lambda body: body["token_expiry"]["verified_at"] is not None)
        status = json.loads((await _verb(tmp_path, "status", "--json")).out)
        assert status["worker"]["connected"] is True
        found = {one["name"]: one for one in json.loads((await _verb(tmp_path, "doctor", "--json")).out)}
        assert {name for name, one in found.items() if one["tone"] == "bad"} == set()
        assert f"Kite accepts token 1 of {USER}" in found["token"]["detail"]
        assert machine.page in found["redirect URL"]["detail"]
        key = (await _verb(tmp_path, "keys", "create", "watch")).out.strip()
        seen = await _verb(tmp_path, "watch", "infy", "--json", "--seconds", "5", KITE_RELAY_KEY=key)
        assert '"instrument": "NSE:INFY"' in seen.out
    ended = await _verb(tmp_path, "doctor", "--json")
    assert ended.code == 4
    assert "kite-relay serve" in next(one["fix"] for one in json.loads(ended.out) if one["name"] == "redirect URL")


class Said(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str


async def _verb(folder: Path, *arguments: str, **variables: str) -> Said:
    """Run another verb in the file's folder, with nothing else in the environment."""
    process = await asyncio.create_subprocess_exec(
        *(COMMAND, *arguments),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    assert b"Traceback" not in err, err.decode()
    return Said(process.returncode, out.decode())
