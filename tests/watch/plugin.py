"""The pytest plugin: every logger at DEBUG, and every test fails that lets a secret out, with the place's name."""

import logging
import os
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import Generator, Iterator
from contextlib import closing
from importlib.util import module_from_spec, spec_from_file_location
from io import BytesIO
from pathlib import Path
from traceback import walk_tb
from typing import Any

import pytest
from _pytest.capture import CaptureFixture
from _pytest.raises import RaisesExc

from kite_relay.logging import ScrubbingFormatter, scrubber
from tests.fakes.canaries import HEAD, watch

CHILD = Path(__file__).with_name("child")
LARGEST = 50_000_000
"""A file that a test leaves is read up to here."""
OURS = {"functions", "kite_relay", "tools", "worker"}
GIVEN = {".env", ".env.new"}
"""Files that a program is given its secrets in."""


class Once(ScrubbingFormatter):
    """Formats a record once for the two handlers of pytest's: at DEBUG that is what costs."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line without its secrets."""
        if not hasattr(record, "scrubbed"):
            record.__dict__["scrubbed"] = super().format(record)
        return str(record.__dict__["scrubbed"])


class Plugin:
    """Looks at everything, test by test.

    Args:
        config: pytest's.
        folder: where the children write a copy of what they say.
    """

    def __init__(self, config: pytest.Config, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._seen: dict[str, int] = {}
        logs: Any = config.pluginmanager.get_plugin("logging-plugin")
        for handler in (logs.caplog_handler, logs.report_handler):
            handler.setFormatter(Once(handler.formatter))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Let a test that measures time or memory run at the product's own log level."""
        quiet = item.get_closest_marker("measures") is not None
        os.environ.pop("CANARY_QUIET", None)
        if quiet:
            os.environ["CANARY_QUIET"] = "1"
        watch_loaded_modules()
        scrubber._values.clear()
        return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """As before, for the loggers of this process: pytest's own logging has set its level by now."""
        if item.get_closest_marker("measures"):
            logging.root.setLevel(logging.WARNING)
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Search what the test said in this phase, what it left, and what its children said; fail it for a hit."""
        report = yield
        for name, text in report.sections[self._seen.get(item.nodeid, 0) :]:
            watch.look(name.lower(), text)
        self._seen[item.nodeid] = len(report.sections)
        if report.longrepr:
            watch.look("the report of a failure", report.longreprtext)
        if call.when == "teardown":
            del self._seen[item.nodeid]
            self._look_at_files(item)
            self._look_at_children()
        if found := watch.take():
            report.outcome = "failed"
            report.longrepr = "\n".join([*([report.longreprtext] if report.longrepr else []), "A secret:", *found])
        return report

    def _look_at_files(self, item: pytest.Item) -> None:
        folder = getattr(item, "funcargs", {}).get("tmp_path")
        for path in Path(folder).rglob("*") if folder else ():
            if path.is_file() and path.name not in GIVEN and path.stat().st_size < LARGEST:
                watch.look(f"the file {path.name}", path.read_bytes())

    def _look_at_children(self) -> None:
        for path in self._folder.iterdir():
            read = self._read.get(path, 0)
            if path.stat().st_size > read:
                with path.open("rb") as said:
                    said.seek(max(0, read - 200))
                    watch.look("what a child process said", said.read())
                    self._read[path] = said.tell()


def watch_loaded_modules() -> None:
    """Look at what passes through libraries, once they are loaded: none is loaded for it."""
    for name, look in ON_LOAD.items():
        if name in sys.modules and name not in _done:
            _done.add(name)
            look(sys.modules[name])


_done: set[str] = set()


def _aws_requests(module: Any) -> None:
    send = module.URLLib3Session.send

    def sent(self: Any, request: Any) -> Any:
        target = request.headers.get("X-Amz-Target", b"")
        name = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
        body = request.body or b""
        watch.look(f"AWS {name}", body if isinstance(body, (bytes, str)) else b"")
        return send(self, request)

    module.URLLib3Session.send = sent


def _aws_answers(module: Any) -> None:
    """Moto's side: what a child of ours asks, and what anybody is answered."""
    answer = module.DomainDispatcherApplication.__call__

    def answered(self: Any, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        name = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        asked = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        watch.look(f"AWS {name}", asked)
        with closing(answer(self, environ | {"wsgi.input": BytesIO(asked)}, start_response)) as told:
            parts = list(told)
        watch.look(f"AWS's answer to {name}", b"".join(parts))
        return parts

    module.DomainDispatcherApplication.__call__ = answered


def _frames(module: Any) -> None:
    receive = module.ClientProtocol.receive_data

    def received(self: Any, data: bytes) -> None:
        watch.look("a WebSocket client's bytes", bytes(data))
        receive(self, data)

    module.ClientProtocol.receive_data = received


def _http_answers(module: Any) -> None:
    read = module.ClientResponse.read

    async def told(self: Any) -> bytes:
        body: bytes = await read(self)
        target = self.request_info.headers.get("X-Amz-Target", "").rpartition(".")[2]
        watch.look(f"AWS's answer to {target}" if target else f"the page {self.url.path}", body)
        return body

    module.ClientResponse.read = told


ON_LOAD = {
    "aiohttp.client_reqrep": _http_answers,
    "botocore.httpsession": _aws_requests,
    "moto.moto_server.werkzeug_app": _aws_answers,
    "websockets.client": _frames,
}


def _watch_pipes() -> None:
    """What a test hears of a child to its end: one that is no Python program keeps no copy of it."""
    listen, listen_meanwhile = subprocess.Popen.communicate, Process.communicate

    def look(said: Any) -> Any:
        for text in filter(None, said):
            watch.look("what a child process said", text)
        return said

    def listened(self: Any, *args: Any, **options: Any) -> Any:
        return look(listen(self, *args, **options))

    async def listened_meanwhile(self: Any, *args: Any, **options: Any) -> Any:
        return look(await listen_meanwhile(self, *args, **options))

    subprocess.Popen.communicate = listened  # type: ignore[method-assign]
    Process.communicate = listened_meanwhile  # type: ignore[method-assign]


def _watch_pytest() -> None:
    read, leave = CaptureFixture.readouterr, RaisesExc.__exit__

    def readouterr(self: Any) -> Any:
        found = read(self)
        for name, text in zip(("stdout", "stderr"), found, strict=True):
            watch.look(f"captured {name}", text)
        return found

    def left(self: Any, kind: Any, error: Any, trace: Any) -> Any:
        for one in chain(error):
            if is_ours(one):
                watch.look("an exception", f"{one} {one!r}")
        return leave(self, kind, error, trace)

    CaptureFixture.readouterr = readouterr  # type: ignore[method-assign]
    RaisesExc.__exit__ = left  # type: ignore[method-assign]


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Give an exception and all that it came of."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def is_ours(error: BaseException) -> bool:
    """Tell whether an exception came through our code, and not from a library that the test itself called."""
    frames = walk_tb(error.__traceback__)
    return any(frame.f_globals.get("__name__", "").partition(".")[0] in OURS for frame, _ in frames)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Begin to look; where the tests run in processes of xdist's, these do."""
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        return
    spec = spec_from_file_location("tests.watch.child.sitecustomize", CHILD / "sitecustomize.py")
    assert spec
    assert spec.loader
    child: Any = module_from_spec(spec)
    spec.loader.exec_module(child)
    child.draw_canaries(HEAD)
    folder = config._tmp_path_factory.mktemp("children")  # type: ignore[attr-defined]
    os.environ |= {"CANARY_HEAD": HEAD, "CANARY_FOLDER": str(folder)}
    child.hand_on(os.environ)
    child.follow(lambda words: watch.look("a process's arguments", words))
    _watch_pipes()
    _watch_pytest()
    config.pluginmanager.register(Plugin(config, folder))
