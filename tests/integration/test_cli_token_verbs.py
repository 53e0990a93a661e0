"""`login`, `logout` and `token`, from the words that are typed to what stands in the store: in AWS, and in one file."""

import io
import json
import os
import pty
import subprocess
import sys
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from kite_relay.config import LoginDeployable
from kite_relay.domain.errors import TokenRejectedError
from tests.fakes.aws import environment
from tests.fakes.canaries import API_SECRET
from tests.integration.aws_and_kite import VARIABLES, Place, aws_and_kite
from tools.cli import main, operator

COMMAND = str(Path(sys.executable).with_name("kite-relay"))


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture(scope="module")
def both() -> Iterator[Place]:
    """Start AWS and Kite once."""
    with aws_and_kite() as place:
        yield place


@pytest.fixture(params=["SSM", "file"])
def place(both: Place, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Choose where the token stands, and begin without one."""
    both.kite("calm")
    if request.param == "file":
        for name in {**environment(""), **VARIABLES}:
            monkeypatch.delenv(name)
        path = tmp_path / ".env"
        lines = {"KITE_API_KEY": "simulatorkey", "KITE_API_SECRET": API_SECRET, "ALLOWED_USER_IDS": "AB1234"}
        lines |= {name: os.environ[name] for name in ("KITE_API_ROOT", "KITE_LOGIN_ROOT")}
        monkeypatch.delenv("KITE_API_ROOT")
        monkeypatch.delenv("KITE_LOGIN_ROOT")
        path.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
        monkeypatch.setenv("ENV_FILE", str(path))
    else:
        both.queue = both.make()
    return both


@pytest.fixture
def kite_relay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process, with what is piped into it."""

    def run(*arguments: str, piped: str = "") -> Done:
        monkeypatch.setattr(sys, "argv", ["kite-relay", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(piped))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return run


def ports() -> LoginDeployable:
    """Look behind the command."""
    return operator.wire()


def stored() -> str | None:
    """Read the token that the store holds, as a program would."""
    token = ports().tokens.read()
    return token.value if token and token.usable else None


def facts(run: Run) -> dict[str, Any]:
    """Ask `token show`."""
    return dict(json.loads(run("token", "show", "--json").out))


def test_a_day_by_hand(place: Place, kite_relay: Run) -> None:
    """Nothing, a login from the pasted address, a second one from the bare request token, a logout."""
    assert facts(kite_relay)["state"] == "missing"
    first = kite_relay("login", "--manual", piped=f"{place.redirect()}\n")
    assert first.code == 0, first
    assert "connect/login?v=3&api_key=simulatorkey" in first.out
    assert "The token of AB1234 is stored" in first.out
    assert "and announced" in first.out
    token = stored()
    assert token is not None
    assert ports().kite.profile(token) == "AB1234"
    told = facts(kite_relay)
    assert (told["state"], told["user_id"], told["source"]) == ("stored", "AB1234", "cli")
    again = kite_relay("login", "--manual", piped=place.kite("login")["request_token"] + "\n")
    assert again.code == 0, again
    assert facts(kite_relay)["generation"] == told["generation"] + 1
    newer = stored()
    assert newer not in (None, token)
    assert "Nothing flows" in kite_relay("logout", piped="n\n").out
    assert stored() == newer
    gone = kite_relay("logout", "--yes")
    assert (gone.code, "is dead at Zerodha" in gone.out) == (0, True), gone
    assert facts(kite_relay)["state"] == "logged out"
    with pytest.raises(TokenRejectedError):
        ports().kite.profile(str(newer))
    assert "no token to end" in kite_relay("logout", "--yes").out
    for done in (first, again, gone):
        assert str(token) not in done.out + done.err
        assert str(newer) not in done.out + done.err


@pytest.mark.parametrize(
    ("pasted", "code", "words"),
    [
        ("https://example.com/callback?status=success", 3, "paste the address that holds request_token"),
        ("https://example.com/callback?status=cancelled&request_token=", 3, "no request token"),
        ("neverissued0123", 3, "Log in once more"),
        ("", 130, "Stopped."),
    ],
)
def test_what_cannot_be_a_login(place: Place, kite_relay: Run, pasted: str, code: int, words: str) -> None:
    """A sentence, a code, and nothing is stored."""
    done = kite_relay("login", "--manual", piped=pasted and f"{pasted}\n")
    assert (done.code, words in done.err) == (code, True), done
    assert stored() is None


def test_a_strangers_login_is_ended(place: Place, kite_relay: Run) -> None:
    """Another user's session is not kept, neither here nor at Kite."""
    done = kite_relay("login", "--manual", piped=f"{place.redirect('XY9999')}\n")
    assert (done.code, "XY9999 may not set this token" in done.err) == (3, True), done
    assert stored() is None
    assert all(session.killed for session in place.simulator.accounts.sessions if session.user_id == "XY9999")


def test_a_token_from_elsewhere(place: Place, kite_relay: Run) -> None:
    """It is asked for at Kite before it is stored: a dead one, a stranger's and an unknown one are refused."""
    dead, stranger = (place.kite("mint", user_id=who)["access_token"] for who in ("AB1234", "XY9999"))
    good = place.kite("mint", user_id="AB1234")["access_token"]
    for value, code, words in ((dead, 3, "kite-relay login"), (stranger, 3, "XY9999"), ("\n", 3, "no token")):
        done = kite_relay("token", "set", piped=f"{value}\n")
        assert (done.code, words in done.err) == (code, True), done
    place.kite("rest", status=503)
    done = kite_relay("token", "set", piped=f"{good}\n")
    assert (done.code, "it is not stored" in done.err) == (4, True), done
    assert stored() is None
    place.kite("calm")
    done = kite_relay("token", "set", piped=f"{good}\n")
    assert (done.code, stored()) == (0, good), done
    assert good not in done.out + done.err


def test_the_login_page_is_opened_or_shown(place: Place, kite_relay: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """On this machine, on the phone by a QR code, or by hand where no browser is."""
    monkeypatch.setenv("LOGIN_URL", "https://relay.example.com/login")
    browser = Mock(return_value=True)
    monkeypatch.setattr(webbrowser, "open", browser)
    assert kite_relay("login").out == "Opened https://relay.example.com/login\n"
    browser.assert_called_once_with("https://relay.example.com/login")
    shown = kite_relay("login", "--qr").out
    assert "█" in shown
    assert shown.endswith("https://relay.example.com/login\n")
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    assert "use --qr" in kite_relay("login").out


def test_a_pipe_hears_no_warning(both: Place, kite_relay: Run) -> None:
    """The real command reads a piped address without complaining that it could be seen."""
    done = subprocess.run(  # noqa: S603 - our own command
        [COMMAND, "login", "--manual"], input=f"{both.redirect()}\n", capture_output=True, text=True, check=True
    )
    assert done.stderr == "paste that whole address, or the request token: (from standard input)\n"
    assert "is stored" in done.stdout


@pytest.mark.parametrize("verb", ["login --manual", "token set"])
def test_a_terminal_does_not_show_what_is_typed(both: Place, verb: str) -> None:
    """At a terminal the secret is asked for and not echoed."""
    secret = both.kite("login")["request_token"] if verb == "login --manual" else both.kite("mint")["access_token"]
    ours, theirs = pty.openpty()
    command = [COMMAND, *verb.split()]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:  # noqa: S603 - the same
        os.close(theirs)
        said = _until(ours, b": ")
        os.write(ours, f"{secret}\n".encode())
        said += _until(ours, b"announced.")
        assert process.wait(20) == 0
    os.close(ours)
    assert secret not in said
    assert "The token of AB1234 is stored" in said


def _until(terminal: int, words: bytes) -> str:
    """Read a terminal until it shows something."""
    said = b""
    while not (said.rstrip(b"\r\n").endswith(words) or words in said.split(b"\n")[-1]):
        said += os.read(terminal, 4096)
    return said.decode()
