"""Secrets never leave: one real worker, every library at DEBUG, and everything that it says or keeps is searched."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from tests.fakes.canaries import NOTHING_SHORTER, hits
from tests.fakes.worker_process import LOUD, RELAY_KEY, USER, WorkerProcess, worker_process
from tools.simulator import Simulator

LIBRARIES = ("twisted", "kiteconnect", "urllib3")
"""Whose lines prove that the search had something to search."""


async def what_it_shows(worker: WorkerProcess) -> dict[str, bytes]:
    """Ask for all that it serves, and for what any user of the machine can see of it."""
    shown = {path: (await worker.get(path))[1] for path in ("/healthz", "/readyz", "/metrics", "/ages", "/nothing")}
    shown["arguments"] = " ".join(psutil.Process(worker.running.pid).cmdline()).encode()
    return shown


def what_it_keeps(folder: Path) -> dict[str, bytes]:
    """Read all that it wrote, its log among them; the file that it was given the secrets in is not its own."""
    kept = [path for path in folder.rglob("*") if path.is_file() and path.name not in (".env", ".env.new")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


@pytest.mark.promise(5)
@pytest.mark.xdist_group("processes")
async def test_a_worker_at_debug_says_no_secret(tmp_path: Path, measured: Callable[[str, object], None]) -> None:
    """A start, a client, a handover, an outage of Kite, a rejected token, an end."""
    async with (
        Simulator(updates=2) as simulator,
        worker_process(tmp_path, simulator, LOG_LEVEL="DEBUG") as worker,
    ):
        tokens = {"api secret": "simulator-secret", "relay key": RELAY_KEY, "first token": worker.token}
        frames: list[bytes] = []
        await worker.ready()
        async with worker.client(256265, 408065) as bot:
            await worker.first_tick(bot)
            tokens["second token"] = simulator.mint(USER)["access_token"]
            worker.store(tokens["second token"])
            await worker.until_dialled(simulator, 2)
            simulator.drop()
            await worker.until_dialled(simulator, 3)
            simulator.refuse(403)
            tokens["rejected token"] = simulator.mint(USER)["access_token"]
            worker.store(tokens["rejected token"])
            await worker.until_dialled(simulator, 4)
            places = await what_it_shows(worker)
            assert (await worker.terminate(bot, frames))["exit"] == 0
    places["frames"] = b"".join(frames)
    places |= what_it_keeps(tmp_path)
    said = places["output"].decode()
    for name in LIBRARIES:
        assert f'"logger": "{name}' in said, f"{name} said nothing at DEBUG: nothing was searched"
    found = hits(places, tokens)
    measured("canaries", len(tokens))
    measured("places searched", len(places))
    measured("lines at DEBUG", said.count("\n"))
    measured("hits", len(found))
    assert found == []


@pytest.mark.promise(5)
def test_the_search_would_find_a_secret() -> None:
    """In each of the forms, within other text."""
    secret = "p/3+canary==of-a token"
    for form in (secret, quote(secret, safe=""), secret.encode().hex(), secret[:NOTHING_SHORTER]):
        assert hits({"log": f"GET /?a={form}&b".encode()}, {"it": secret}) == [("log", "it")]
    for lead in (b"", b"a", b"ab"):
        encoded = base64.b64encode(lead + secret.encode() + b"tail")
        assert hits({"log": encoded}, {"it": secret}) == [("log", "it")]
    assert hits({"log": json.dumps({"what": "nothing"}).encode()}, {"it": secret}) == []
    assert LOUD.exists()
