"""Secrets never leave: the whole suite is searched for them (tests/watch), and here that search is searched."""

import base64
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from tests.fakes.canaries import NOTHING_SHORTER, canary, leaks
from tests.fakes.worker_process import LOUD, USER, WorkerProcess, worker_process
from tools.simulator import Simulator

pytest_plugins = ["pytester"]

LIBRARIES = ("twisted", "kiteconnect", "urllib3")
"""Whose lines prove that the search had something to search."""


async def what_it_shows(worker: WorkerProcess) -> dict[str, bytes]:
    """Ask for all that it serves, and for what any user of the machine can see of it."""
    shown = {path: (await worker.get(path))[1] for path in ("/healthz", "/readyz", "/metrics", "/ages", "/nothing")}
    shown["arguments"] = " ".join(psutil.Process(worker.running.pid).cmdline()).encode()
    return shown


@pytest.mark.promise(5)
@pytest.mark.xdist_group("processes")
async def test_a_worker_at_debug_says_no_secret(tmp_path: Path, measured: Callable[[str, object], None]) -> None:
    """A start, a client, a handover, an outage of Kite, a rejected token, an end; autobahn and Twisted speak too."""
    async with (
        Simulator(updates=2) as simulator,
        worker_process(tmp_path, simulator, LOG_LEVEL="DEBUG") as worker,
    ):
        frames: list[bytes] = []
        await worker.ready()
        async with worker.client(256265, 408065) as bot:
            await worker.first_tick(bot)
            worker.store(simulator.mint(USER)["access_token"])
            await worker.until_dialled(simulator, 2)
            simulator.drop()
            await worker.until_dialled(simulator, 3)
            simulator.refuse(403)
            worker.store(simulator.mint(USER)["access_token"])
            await worker.until_dialled(simulator, 4)
            places = await what_it_shows(worker)
            assert (await worker.terminate(bot, frames))["exit"] == 0
    places |= {"frames": b"".join(frames), "output": worker.output.read_bytes()}
    for name in LIBRARIES:
        assert f'"logger": "{name}'.encode() in places["output"], f"{name} said nothing at DEBUG"
    found = [(where, kind) for where, text in places.items() for kind in leaks(where, text)]
    measured("places searched", len(places))
    measured("lines at DEBUG", places["output"].count(b"\n"))
    measured("hits", len(found))
    assert found == []


@pytest.mark.promise(5)
def test_the_search_would_find_a_secret() -> None:
    """In each of its forms, within other text."""
    secret = canary("AccessToken") + "/3+==of-a token"
    for form in (secret, quote(secret, safe=""), secret[:NOTHING_SHORTER]):
        assert leaks("log", f"GET /?a={form}&b".encode())
    for raw in (secret.encode(), secret[:NOTHING_SHORTER].encode()):
        assert leaks("log", raw.hex().encode()) == leaks("log", raw.hex().upper().encode()) == ["encoded"]
        for lead in (b"", b"a", b"ab"):
            assert leaks("log", base64.b64encode(lead + raw + b"tail")) == ["encoded"]
            assert leaks("log", base64.urlsafe_b64encode(lead + raw)) == ["encoded"]
    assert leaks("log", b"state=v1." + b"a" * 22 + b".1796544000." + b"b" * 43) == ["State"]
    assert leaks("AWS PutParameter", secret.encode()) == []
    assert leaks("log", b'{"what": "nothing"}') == []
    assert LOUD.exists()


ROOT = str(Path(__file__).parents[2])
PLANTED = f"""
import base64, logging, subprocess, sys, urllib.request
import pytest
from kite_relay.config import http_root
from tests.fakes.canaries import access_token
from tests.fakes.gateway import gateway
from tests.fakes.stores import FakeStatusBoard

SECRET = access_token()

def test_nothing(): print("fine")
def test_stdout(): print("token=" + SECRET)
def test_stderr(): print(base64.b64encode(b"k:" + SECRET.encode()), file=sys.stderr)
def test_swallowed(capsys): print(SECRET[:8] + "..."); capsys.readouterr()
def test_log(): logging.getLogger("botocore").debug("signed with %s", SECRET)
def test_file(tmp_path): (tmp_path / "kept").write_text(SECRET.encode().hex())
def test_failure(): assert SECRET == ""
def test_arguments(): subprocess.run([sys.executable, "-c", "", SECRET])
def test_board(): FakeStatusBoard().put("timeline#1", {{"entries": [SECRET]}})
def test_exception():
    with pytest.raises(ValueError):
        http_root(SECRET)
def child(program): subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, cwd={ROOT!r})
def test_child(): child("from tests.fakes.canaries import access_token as a; print(a())")
def test_child_log():
    said = "import logging as l; l.basicConfig(level='ERROR'); l.getLogger('x').debug(bytes.fromhex('%s'))"
    child(said % SECRET.encode().hex())
def test_child_draws():
    child("import secrets as s; exec('print(s.token_urlsafe())', {{'__name__': 'worker.x', 's': s}})")
def test_page():
    with gateway(lambda *_: {{"statusCode": 200, "body": SECRET}}) as address:
        urllib.request.urlopen(address + "/x").close()
"""


@pytest.mark.promise(5)
def test_a_planted_leak_fails_the_test_that_let_it_out(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it comes out, and with the place's name; what lets nothing out passes."""
    monkeypatch.setenv("CANARY_HEAD", "PlNtD")
    pytester.makepyfile(PLANTED)
    options = ("-p", "tests.watch.plugin", "-p", "no:randomly", "-p", "no:cacheprovider", "-rA")
    done = pytester.runpytest_subprocess(*options, "-o", "log_level=DEBUG")
    failed = {line.split("::")[1].split(" ")[0] for line in done.outlines if line.startswith(("FAILED", "ERROR"))}
    planted = {line.split("(")[0][4:] for line in PLANTED.splitlines() if line.startswith("def test_")}
    assert failed == planted - {"test_nothing"}
    for place in (
        *("captured stdout call", "captured stderr call", "captured stdout", "captured log call", "the file kept"),
        *("the report of a failure", "a process's arguments", "the board's timeline", "an exception"),
        *("what a child process said", "the page /x"),
    ):
        assert f" in {place}: " in done.stdout.str(), place
