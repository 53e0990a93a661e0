"""Kite's REST side: the fake, and our client against the simulator."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qsl

import pytest

from kite_relay.adapters.kite_rest import KiteRest
from kite_relay.adapters.skew import Heard, Skew
from kite_relay.domain.errors import ConfigurationError, KiteUnavailableError, LoginRefusedError, TokenRejectedError
from kite_relay.ports import KiteSession
from tests.fakes import FakeClock, FakeKiteSession, FakeParameters
from tests.fakes.canaries import API_SECRET
from tools.simulator import Simulator

Controls = Callable[..., Any]


@dataclass
class Kite:
    """A Kite session with a way to log in at Zerodha."""

    session: KiteSession
    log_in: Callable[[], str]


@pytest.fixture
def controls() -> Iterator[tuple[Simulator, Controls]]:
    """Run the simulator in a loop of its own; gives it, and a way to call it there."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    simulator = Simulator(seed=5, api_secret=API_SECRET)
    asyncio.run_coroutine_threadsafe(simulator.__aenter__(), loop).result(10)

    def call(name: str, **options: Any) -> Any:
        async def there() -> Any:
            return getattr(simulator, name)(**options)

        return asyncio.run_coroutine_threadsafe(there(), loop).result(10)

    yield simulator, call
    asyncio.run_coroutine_threadsafe(simulator.__aexit__(None, None, None), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def client(root: str, secret: str = API_SECRET, heard: Heard = lambda *_: None) -> KiteRest:
    """Make our client with the simulated app's keys."""
    return KiteRest(root, FakeParameters(api_key="simulatorkey", api_secret=secret), lambda _: None, heard)


@pytest.fixture(params=["fake", "rest"])
def kite(request: pytest.FixtureRequest) -> Kite:
    """Make a session of each kind."""
    if request.param == "fake":
        fake = FakeKiteSession()
        return Kite(fake, fake.issue_request_token)
    simulator, call = request.getfixturevalue("controls")
    return Kite(client(simulator.rest_root), lambda: str(call("login", user_id="AB1234")["request_token"]))


def test_a_request_token_is_spent_once(kite: Kite) -> None:
    """The first exchange gives the token and its owner, the second is refused without quoting the token."""
    request_token = kite.log_in()
    found = kite.session.exchange(request_token)
    assert found.user_id == "AB1234"
    assert found.access_token not in repr(found)
    assert found.minted_at.utcoffset() is not None
    with pytest.raises(LoginRefusedError) as refused:
        kite.session.exchange(request_token)
    assert request_token not in str(refused.value)


def test_a_token_lives_until_it_is_invalidated(kite: Kite) -> None:
    """Twice is no error."""
    token = kite.session.exchange(kite.log_in()).access_token
    assert kite.session.profile(token) == "AB1234"
    kite.session.invalidate(token)
    with pytest.raises(TokenRejectedError):
        kite.session.profile(token)
    kite.session.invalidate(token)


def test_a_token_of_nobody_is_rejected(kite: Kite) -> None:
    """As Kite does, with 403."""
    with pytest.raises(TokenRejectedError):
        kite.session.profile("never-issued-0123456789")


def test_a_wrong_secret_is_zerodhas_no(controls: tuple[Simulator, Controls]) -> None:
    """Kite says that the checksum is invalid."""
    simulator, call = controls
    with pytest.raises(LoginRefusedError, match="checksum"):
        client(simulator.rest_root, "another-secret").exchange(call("login", user_id="AB1234")["request_token"])


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_trouble_of_kites_own_is_not_tried_again(controls: tuple[Simulator, Controls], status: int) -> None:
    """A second exchange could spend what the first one did."""
    simulator, call = controls
    request_token = call("login", user_id="AB1234")["request_token"]
    call("rest", status=status, times=1)
    session = client(simulator.rest_root)
    with pytest.raises(KiteUnavailableError):
        session.exchange(request_token)
    assert session.exchange(request_token).user_id == "AB1234"


def test_a_refusal_tells_the_time_too(controls: tuple[Simulator, Controls]) -> None:
    """On one machine no AWS tells it, and the worker asks about each new token anyway."""
    skew = Skew(FakeClock(datetime.now(UTC) + timedelta(seconds=45)))
    with pytest.raises(TokenRejectedError):
        client(controls[0].rest_root, heard=skew.heard).profile("never-issued-0123456789")
    assert skew.seconds == pytest.approx(45, abs=3)


def test_nobody_there_is_out_of_reach() -> None:
    """And the error names no URL."""
    with pytest.raises(KiteUnavailableError) as error:
        client("http://127.0.0.1:9").invalidate("a-very-secret-token")
    assert "secret" not in str(error.value)
    assert error.value.__cause__ is None


def test_without_keys_nothing_is_asked() -> None:
    """The error says what to do."""
    with pytest.raises(ConfigurationError, match="kite-relay setup"):
        KiteRest("http://127.0.0.1:9", FakeParameters(), lambda _: None).exchange("abcdefgh")


@pytest.fixture
def recorder() -> Iterator[tuple[str, list[Any]]]:
    """Serve a Kite that writes down what it is asked."""
    asked: list[Any] = []

    class Recorder(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            kept = {name: self.headers.get(name) for name in ("X-Kite-Version", "Content-Type")}
            asked.append((self.command, self.path, sorted(parse_qsl(body)), kept))
            answer = json.dumps({"status": "success", "data": {"access_token": "t", "user_id": "U", "login_time": ""}})
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer.encode())

        do_POST = do_DELETE = answer  # noqa: N815 - the server's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the server's name
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Recorder)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


OFFICIAL = """
import sys
from kiteconnect import KiteConnect
kite = KiteConnect("simulatorkey", root=sys.argv[1])
kite.generate_session("request+token/1", "the-secret")
kite.set_access_token(None)
kite.invalidate_access_token("access-token-1")
"""


def test_we_ask_as_the_official_client_does(recorder: tuple[str, list[Any]]) -> None:
    """Method, path, form, checksum, version and type of both calls are equal."""
    root, asked = recorder
    subprocess.run([sys.executable, "-c", OFFICIAL, root], check=True)  # noqa: S603 - importing it takes the reactor
    official, asked[:] = list(asked), []
    session = client(root, "the-secret")
    session.exchange("request+token/1")
    session.invalidate("access-token-1")
    assert asked == official
    assert len(asked) == 2
