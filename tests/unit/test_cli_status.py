"""`kite-relay status` says what the dashboard says, ends with the right code, and is plain where nobody looks."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner, Result

from kite_relay.usecases import status_bodies
from kite_relay.usecases.report_status import ReportStatus
from tests.fakes.world import World
from tools.cli import main, status


def body(world: World, *, full: bool = True) -> dict[str, Any]:
    """Give the body of the detailed health."""
    return status_bodies.detailed(ReportStatus(world.sources).report(login_url="https://kite.example/login"), full=full)


def run(monkeypatch: pytest.MonkeyPatch, world: World, *arguments: str) -> Result:
    """Run the verb over a world."""
    monkeypatch.setattr(status, "source", lambda _: lambda: body(world))
    return CliRunner().invoke(main.app, ["status", *arguments])


def test_good_weather(monkeypatch: pytest.MonkeyPatch) -> None:
    """One look tells all, and the code says that all is well."""
    world = World()
    world.live()
    result = run(monkeypatch, world)
    assert result.exit_code == 0
    assert result.output.splitlines()[0].startswith("✓ Live")
    for words in ("VALID", "connected on token 7", "ai_analysis", "cash LIVE until 15:30", "Next: "):
        assert words in result.output
    assert "\x1b" not in result.output


def test_bad_weather(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to do is told, and the code says who must act."""
    world = World()
    result = run(monkeypatch, world)
    assert result.exit_code == 4
    assert "✗ " in result.output
    world.live()
    world.store.stamp = None
    world.board.items.pop("token")
    result = run(monkeypatch, world)
    assert result.exit_code == 3, result.output
    assert "Log in" in result.output


def test_json_is_the_bodys_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts get the contract's body, unchanged."""
    world = World()
    world.live()
    result = run(monkeypatch, world, "--json")
    assert json.loads(result.output) == body(world)


def test_watch_writes_a_line_per_change_where_no_terminal_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of changes, not of looks."""
    world, looks = World(), iter(range(5))
    world.live()

    def pause(_: float) -> None:
        if next(looks, None) is None:
            raise KeyboardInterrupt
        world.clock.advance(40)

    monkeypatch.setattr("time.sleep", pause)
    result = run(monkeypatch, world, "--watch")
    assert result.exit_code == 130
    lines = result.output.splitlines()
    assert len(lines) == len({line.split(" ", 1)[1] for line in lines})
    assert " healthy " in lines[0]
    assert " healthy " not in lines[-1]


class Dashboard(BaseHTTPRequestHandler):
    """Answers as a dashboard, or as something else."""

    reply: ClassVar[tuple[int, str]] = (200, "")
    asked: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        """Answer."""
        self.asked.append(self.headers["Authorization"])
        self.send_response(self.reply[0])
        self.end_headers()
        self.wfile.write(self.reply[1].encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    """Serve a dashboard."""
    server = HTTPServer(("127.0.0.1", 0), Dashboard)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_another_machine_asks_the_page(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an address no AWS is needed; a relay key opens the details, and 503 is news too."""
    world = World()
    Dashboard.reply = (503, json.dumps(body(world, full=False)))
    monkeypatch.setenv("KITE_RELAY_KEY", "kr_key")
    result = CliRunner().invoke(main.app, ["status", "--url", address])
    assert Dashboard.asked[-1] == "Bearer kr_key"
    assert result.exit_code == 4
    assert "withheld" in result.output


def test_watch_outlives_a_dashboard_that_is_away_for_a_moment(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment, a train in a tunnel: it says so, and goes on."""
    good = (503, json.dumps(body(World(), full=False)))
    replies = iter([(502, "no"), good])
    Dashboard.reply = good

    def pause(_: float) -> None:
        reply = next(replies, None)
        if reply is None:
            raise KeyboardInterrupt
        Dashboard.reply = reply

    monkeypatch.setattr("time.sleep", pause)
    result = CliRunner().invoke(main.app, ["status", "--watch", "--json", "--url", address])
    assert result.exit_code == 130
    assert "answers 502" in result.stderr
    assert [line == good[1] for line in result.stdout.splitlines()] == [True, True]


@pytest.mark.parametrize("reply", [(404, "no"), (200, "<html>"), (200, "[]")])
def test_something_else_is_told_apart(address: str, reply: tuple[int, str]) -> None:
    """A wrong address is an error in a sentence, never a traceback."""
    Dashboard.reply = reply
    result = CliRunner().invoke(main.app, ["status", "--url", address])
    assert type(result.exception).__name__ in ("WillPassError", "MalformedError")
    assert "dashboard" in str(result.exception)
