"""Secrets never leave: the whole suite is searched for them (tests/watch), and here that search is searched."""

import base64
import re
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
import asyncio, base64, logging, multiprocessing, subprocess, sys, urllib.request
import boto3, pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from botocore.exceptions import EndpointConnectionError
from moto.server import ThreadedMotoServer
from kite_relay.config import http_root
from tests.fakes.aws import environment
from tests.fakes.canaries import access_token
from tests.fakes.gateway import gateway
from tests.fakes.stores import FakeStatusBoard
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

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
def draw():
    exec("print(s.token_urlsafe())", {{"__name__": "worker.x", "s": __import__("secrets")}})
def test_forkserver():
    with multiprocessing.get_context("forkserver").Pool(1) as pool: pool.apply(draw)
def parent(more): child("import subprocess as s, sys; from tests.fakes.canaries import access_token as a; " + more)
SAYS = "from tests.fakes.canaries import access_token as a; print(a())"
def test_grandchild(): parent(f"s.run([sys.executable, '-c', {{SAYS!r}}], env={{{{}}}}, stdout=s.PIPE, check=True)")
def test_grandchild_arguments(): parent("s.run(['true', a()], env={{}}, check=True)")
def test_not_python(): subprocess.run(["sh", "-c", "echo $SAID"], env={{"SAID": SECRET}}, capture_output=True)
async def hear():
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("sh", "-c", "echo $SAID", env={{"SAID": SECRET}}, stdout=pipe)
    await process.communicate()
def test_pipe(): asyncio.run(hear())
@pytest.fixture
def cloud(monkeypatch):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    for name, value in environment("http://%s:%s" % server.get_host_and_port()).items():
        monkeypatch.setenv(name, value)
    yield
    server.stop()
PUT = "import boto3; c = boto3.client('ssm'); c.put_parameter(Name='x', Value=a(), Type='String', Overwrite=True); "
def test_aws_answer(cloud): parent(PUT + "c.get_parameter_history(Name='x')")
TAG = "c.add_tags_to_resource(ResourceType='Parameter', ResourceId='x', Tags=[{{'Key': 'y', 'Value': a()}}])"
def test_aws_of_a_child(cloud): parent(PUT + TAG)
def test_aws_request():
    with pytest.raises(EndpointConnectionError):
        boto3.client("sqs", "ap-south-1", endpoint_url="http://127.0.0.1:9", aws_access_key_id="a",
            aws_secret_access_key="a").send_message(QueueUrl="http://127.0.0.1:9/q", MessageBody=SECRET)
async def say(socket): await socket.send(SECRET)
async def test_frame():
    async with serve(say, "127.0.0.1", 0, compression=None) as server:
        async with connect("ws://127.0.0.1:%d" % server.sockets[0].getsockname()[1]) as client: await client.recv()
async def test_answer():
    async def answer(_): return web.Response(text=SECRET)
    app = web.Application()
    app.router.add_get("/metrics", answer)
    async with TestClient(TestServer(app)) as client: await (await client.get("/metrics")).text()
def test_page():
    with gateway(lambda *_: {{"statusCode": 200, "body": SECRET}}) as address:
        urllib.request.urlopen(address + "/x").close()
def test_nothing_again(): child("print('fine')")
"""


PLACES = {
    "stdout": "captured stdout call",
    "stderr": "captured stderr call",
    "swallowed": "captured stdout",
    "log": "captured log call",
    "file": "the file kept",
    "failure": "the report of a failure",
    "arguments": "a process's arguments",
    "board": "the board's timeline",
    "exception": "an exception",
    **dict.fromkeys(("child", "child_log", "child_draws"), "what a child process said"),
    **dict.fromkeys(("forkserver", "grandchild", "grandchild_arguments"), "what a child process said"),
    **dict.fromkeys(("not_python", "pipe"), "what a child process said"),
    "aws_request": "AWS SendMessage",
    "aws_of_a_child": "AWS AddTagsToResource",
    "aws_answer": "AWS's answer to GetParameterHistory",
    "frame": "a WebSocket client's bytes",
    "answer": "the page /metrics",
    "page": "the page /x",
}
"""Where the watch must find what each planted test lets out."""


LAMBDA = """
import asyncio, io, json, urllib.request, zipfile
from tools.devstack.children import Children
from tools.devstack.cloud import ACCOUNT, clients, start_ministack
from tools.devstack.places import HOST, Home, Ports

CODE = "import os; handler = lambda *_: print(os.environ['CANARY_HEAD'] + 'xxxLambda')"

def call(aws):
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive: archive.writestr("app.py", CODE)
    aws.iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}))
    aws.functions.create_function(FunctionName="f", Runtime="python3.13", Handler="app.handler",
        Role=f"arn:aws:iam::{ACCOUNT}:role/r", Code={"ZipFile": code.getvalue()})
    assert "FunctionError" not in aws.functions.invoke(FunctionName="f")

async def test_lambda(tmp_path):
    home, ports = Home(tmp_path), Ports.free()
    children = Children(home)
    for folder in (home.logs, home.scratch): folder.mkdir()
    address = f"http://{HOST}:{ports.ministack}"
    ministack = await start_ministack(children, home, ports, address)
    try:
        while not ports.taken():
            assert ministack.process.returncode is None, ministack.tail()
            await asyncio.sleep(0.05)
        await asyncio.to_thread(call, clients(ports))
    finally:
        await children.stop_all()
"""


@pytest.fixture
def planted(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, str]]:
    """Run tests under a watch of their own; gives the reports of those in which it found a secret."""

    def run(tests: str) -> dict[str, str]:
        monkeypatch.setenv("CANARY_HEAD", "PlNtD")
        pytester.makepyfile(tests)
        options = ("-p", "tests.watch.plugin", "-p", "no:randomly", "-p", "no:cacheprovider", "--asyncio-mode=auto")
        said = pytester.runpytest_subprocess(*options, "-o", "log_level=DEBUG").stdout.str()
        reports = re.split(r"^_+ (?:ERROR at teardown of )?test_(\w+) _+$", said, flags=re.MULTILINE)
        found: dict[str, str] = {}
        for name, report in zip(reports[1::2], reports[2::2], strict=True):
            if "A secret:" in report:
                found[name] = found.get(name, "") + report
        return found

    return run


@pytest.mark.promise(5)
def test_a_planted_leak_fails_the_test_that_let_it_out(planted: Callable[[str], dict[str, str]]) -> None:
    """Wherever it comes out, and with the place's name; what lets nothing out passes."""
    found = planted(PLANTED)
    assert found.keys() == PLACES.keys()
    assert [name for name, place in PLACES.items() if f" in {place}: " not in found[name]] == []


@pytest.mark.stack
def test_a_lambda_of_the_embedded_aws_is_heard(planted: Callable[[str], dict[str, str]]) -> None:
    """MiniStack starts it in its own environment, of which nothing else is looked at."""
    assert " in what a child process said: " in planted(LAMBDA)["lambda"]
