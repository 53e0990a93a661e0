"""Names become instrument tokens: from Kite's list, from memory when Kite is away, and an unknown one is told."""

import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kite_relay.adapters.skew import Skew
from kite_relay.domain.errors import KiteUnavailableError
from kite_relay.domain.status_findings import make
from tests.fakes.trouble import MORNING, FakeClock
from worker.instruments import Instruments, fetch_list, pick
from worker.state import StateFolder

DUMP = (
    "instrument_token,exchange_token,tradingsymbol,name,exchange\n"
    "256265,1001,NIFTY 50,NIFTY 50,NSE\n"
    "408065,1594,INFY,INFOSYS,NSE\n"
    "128028676,500209,INFY,INFOSYS,BSE\n"
)
NAMES = ["NSE:NIFTY 50", "BSE:INFY"]
FOUND = {"NSE:NIFTY 50": 256265, "BSE:INFY": 128028676}


class FakeKite:
    """Answers as it is told."""

    def __init__(self) -> None:
        self.status, self.body = 200, DUMP.encode()
        fake = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response_only(fake.status if self.path == "/instruments" else 404)
                self.send_header("Date", "Wed, 25 Nov 2026 03:15:00 GMT")
                self.send_header("Content-Length", str(len(fake.body)))
                self.end_headers()
                self.wfile.write(fake.body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.root = f"http://127.0.0.1:{self.server.server_port}"


def instruments(root: str, names: Sequence[str], folder: Path, skew: Skew | None = None) -> Instruments:
    """Make one that keeps its memory in a folder."""
    clock = FakeClock()
    return Instruments(root, names, StateFolder(folder, clock), (skew or Skew(clock)).heard)


@pytest.fixture
def kite() -> Iterator[FakeKite]:
    """Give a Kite on the loopback."""
    fake = FakeKite()
    thread = threading.Thread(target=fake.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield fake
    fake.server.shutdown()
    thread.join()
    fake.server.server_close()


def test_names_are_found_with_kites_clock(kite: FakeKite, tmp_path: Path) -> None:
    """The exchange is part of the name: INFY trades at two."""
    skew = Skew(FakeClock(MORNING + timedelta(seconds=45)))
    found = instruments(kite.root, NAMES, tmp_path, skew).fetch()
    assert (found.tokens, found.unknown, found.problem) == (FOUND, [], "")
    assert skew.seconds == pytest.approx(45, abs=1.5)


def test_an_unknown_name_is_told_with_what_to_do(kite: FakeKite, tmp_path: Path) -> None:
    """The others are held, and the owner reads the name, and which setting to correct."""
    found = instruments(kite.root, ["NSE:NIFY 50", *NAMES, "NSE:INFI"], tmp_path).fetch()
    assert found.tokens == FOUND
    assert found.problem == "Kite's list has no NSE:NIFY 50, NSE:INFI: check INSTRUMENTS"
    finding = make("instruments_unknown", found.problem)
    assert "NSE:NIFY 50" in finding.title
    assert finding.fix == "Correct INSTRUMENTS on the worker's machine, as EXCHANGE:SYMBOL"


@pytest.mark.parametrize("status", [403, 429, 502])
def test_a_start_while_kite_is_away_remembers(kite: FakeKite, tmp_path: Path, status: int) -> None:
    """What was found yesterday is held, as far as it is still wanted; a failure does not spoil the memory."""
    instruments(kite.root, NAMES, tmp_path / "state").fetch()
    kite.status = status
    later = instruments(kite.root, [*NAMES[:1], "NSE:INFY"], tmp_path / "state")
    with pytest.raises(KiteUnavailableError, match=f"answered {status}"):
        later.fetch()
    assert later.remembered() == {"NSE:NIFTY 50": 256265}


@pytest.mark.parametrize(
    "body", [b"<html>maintenance</html>\n<p>", b"\xff\xfe\xfa,\n", DUMP.replace("256265", "x").encode()]
)
def test_no_list_is_no_news(kite: FakeKite, tmp_path: Path, body: bytes) -> None:
    """A proxy's page with 200 is not taken for an empty market."""
    instruments(kite.root, NAMES, tmp_path).fetch()
    kite.body = body
    later = instruments(kite.root, NAMES, tmp_path)
    with pytest.raises(KiteUnavailableError):
        later.fetch()
    assert later.remembered() == FOUND


def test_nobody_there(tmp_path: Path, kite: FakeKite) -> None:
    """A refused connection is Kite's absence, and no crash."""
    root = kite.root.replace(str(kite.server.server_port), "1")
    for ask in (instruments(root, NAMES, tmp_path).fetch, partial(fetch_list, root)):
        with pytest.raises(KiteUnavailableError, match="did not give"):
            ask()


@pytest.mark.parametrize("kept", ["", "{", "[1]", '{"NSE:NIFTY 50": "many"}', '{"NSE:NIFTY 50": null}', "null"])
def test_a_broken_memory_is_none(tmp_path: Path, kept: str) -> None:
    """The file may be cut short."""
    tmp_path.joinpath("instruments.json").write_text(kept)
    assert instruments("http://127.0.0.1:1", NAMES, tmp_path).remembered() == {}


def test_a_memory_that_cannot_be_kept_costs_nothing_else(kite: FakeKite, tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    blocked = tmp_path / "state"
    blocked.write_text("")
    assert instruments(kite.root, NAMES, blocked).fetch().tokens == FOUND


def test_an_empty_list_knows_no_name() -> None:
    """Only the head: every name is unknown."""
    assert pick([DUMP.splitlines()[0]], NAMES).unknown == NAMES
