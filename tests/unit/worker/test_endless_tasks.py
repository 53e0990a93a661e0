"""The worker's own tasks: a bug in one of them must not leave half a worker that looks like a whole one."""

import asyncio
import signal
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from structlog.testing import capture_logs

from kite_relay.domain.errors import ConfigurationError
from worker import tasks
from worker.tasks import begun_anew
from worker.worker import Worker, listening

if TYPE_CHECKING:
    from worker.stream_hub import Hub


async def test_a_task_that_fails_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watchdog of the feed is one of them: without it a dead socket would be taken for a living one for ever."""
    monkeypatch.setattr(tasks, "PAUSE_SECONDS", 0.0)
    runs, stands = list[int](), asyncio.Event()

    async def work() -> None:
        runs.append(len(runs))
        if len(runs) == 1:
            raise ZeroDivisionError
        stands.set()
        await asyncio.Event().wait()

    with capture_logs() as told:
        task = asyncio.create_task(begun_anew(work))
        await stands.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert runs == [0, 1]
    assert [(line["log_level"], line["exc_info"]) for line in told] == [("error", True)]


async def test_a_task_that_was_told_to_end_ends() -> None:
    """Some return when they are cancelled: they must not be begun anew while the worker drains."""

    async def work() -> None:
        return

    await asyncio.wait_for(begun_anew(work), 5)


async def test_a_standby_that_cannot_begin_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lease is taken and its port is not free: it must not stay as a process that does nothing."""
    signals = list[signal.Signals]()
    monkeypatch.setattr(signal, "raise_signal", signals.append)

    async def acquire() -> None:
        return

    async def begin(_port: int) -> None:
        raise OSError("address already in use")

    hub = cast("Hub", SimpleNamespace(acquire=acquire))
    with capture_logs() as told:
        await Worker._stand_by(cast("Worker", SimpleNamespace(_begin=begin)), hub, 0)
    assert [line["log_level"] for line in told] == ["error"]
    assert signals == [signal.SIGTERM]


async def test_a_taken_port_is_told_by_its_variable() -> None:
    """Two workers on one machine are a matter of a setting, and no traceback."""
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as first:
        port = first.sockets[0].getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"RELAY_PORT: .*{port}.*in use"):
            await listening(asyncio.start_server(lambda *_: None, "127.0.0.1", port), "RELAY_PORT")
