"""The doctor names what is wrong, in the order of mending, with a fix for each; its report tells nobody's secrets."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from kite_relay import __version__
from kite_relay.adapters.clock import SystemClock
from kite_relay.adapters.env_file import EnvFile, FileParameters, FileTokenStore
from kite_relay.adapters.sqlite_board import SqliteBoard
from kite_relay.domain.errors import ConfigurationError, KiteUnavailableError, TokenRejectedError, WillPassError
from kite_relay.domain.records import Heartbeat
from tools.cli import checks, doctor, main
from tools.cli.checks import CHECKS, Result, examine
from tools.cli.patient import Answer, Patient

NOW = datetime(2026, 11, 25, 5, 0, tzinfo=UTC)
PAGE = "https://abc123.execute-api.ap-south-1.amazonaws.com"
SECRET = "do-not-show-this-secret"


class Web:
    """What the addresses answer."""

    def __init__(self) -> None:
        self.now = NOW
        self.skew = timedelta(0)
        self.answers: dict[str, Answer] = {
            f"{PAGE}/login": Answer(
                302, {"location": "https://kite.zerodha.com/connect/login?v=3&api_key=key12345"}, ""
            ),
            f"{PAGE}/api/health": Answer(200, {}, json.dumps({"status": "ok", "version": __version__})),
            checks.EGRESS: Answer(200, {}, "203.0.113.9\n"),
        }

    def ask(self, url: str) -> Answer:
        """Answer."""
        if url == "https://api.kite.trade/":
            return Answer(200, {"date": format_datetime(self.now - self.skew, usegmt=True)}, "")
        if url not in self.answers:
            raise WillPassError(f"{url} does not answer")
        return self.answers[url]


class Ward:
    """A deployment on one machine, with a page and a relay, in good health."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = folder / ".env"
        file = EnvFile(path, SystemClock(), lambda _: None)
        self.parameters = FileParameters(file)
        self.parameters.write("api_key", "key12345", secret=True)
        self.parameters.write("api_secret", SECRET, secret=True)
        FileTokenStore(file).write("token-of-today")
        self.board = SqliteBoard(path.with_name(".env.board"), SystemClock())
        self.web = Web()
        self.days_left = 60
        self.verdict: str | Exception = "AB1234"
        self.variables: dict[str, str] = {
            "ENV_FILE": str(path),
            "STATUS_URL": f"{PAGE}/",
            "RELAY_URL": "wss://relay.example.com",
            "ALLOWED_USER_IDS": "AB1234",
        }
        self.beat(1)
        monkeypatch.setattr(checks, "KiteRest", lambda *_: self)

    def profile(self, _: str) -> str:
        """Answer for Kite."""
        if isinstance(self.verdict, Exception):
            raise self.verdict
        return self.verdict

    def beat(self, generation: int, **changes: Any) -> None:
        """Let the worker tell of itself."""
        told = {"heartbeat_at": NOW, "version": __version__, "generation": generation, "connected": True, **changes}
        self.board.put(Heartbeat.KEY, Heartbeat(**told).to_item())

    def patient(self) -> Patient:
        """Bring the patient."""
        end = self.web.now + timedelta(days=self.days_left, minutes=1)
        return Patient(lambda: self.variables, self.web.ask, lambda _host, _port: end, lambda: self.web.now)

    def results(self) -> Mapping[str, Result]:
        """Examine it."""
        return {result.name: result for result in examine(self.patient())}


@pytest.fixture
def ward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ward:
    """Give a healthy deployment."""
    return Ward(tmp_path, monkeypatch)


def test_a_healthy_one_needs_nothing(ward: Ward) -> None:
    """Every check runs, none complains, none has a fix to offer."""
    results = ward.results()
    assert list(results) == [check.name for check in CHECKS]
    assert {result.tone for result in results.values()} == {"good", "soft"}, results
    assert not any(result.fix or result.code for result in results.values())
    assert "within 2 s" in results["clock"].detail
    assert "60 days" in results["TLS"].detail


def test_a_dead_token_asks_for_a_login(ward: Ward) -> None:
    """Kite's own word counts, not the clock's."""
    ward.verdict = TokenRejectedError("Kite answered 403")
    result = ward.results()["token"]
    assert (result.tone, result.code) == ("bad", 3)
    assert "kite-relay login" in result.fix


@pytest.mark.parametrize("now", [datetime(2026, 11, 24, 6, 30, tzinfo=UTC), datetime(2026, 11, 25, 0, 45, tzinfo=UTC)])
def test_a_dead_token_asks_for_nothing_while_no_login_helps(
    ward: Ward, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a holiday, and early in the morning, `status` is at rest too: both end with 0, and tell when to log in."""
    ward.verdict = TokenRejectedError("Kite answered 403")
    ward.web.now = now
    ward.beat(1, heartbeat_at=now)
    result = ward.results()["token"]
    assert (result.tone, result.code) == ("soft", 0)
    assert result.fix == f"Log in {'tomorrow ' if now.day == 24 else ''}7:35 AM or later: `kite-relay login`"
    monkeypatch.setattr(doctor, "Patient", lambda _: ward.patient())
    assert CliRunner().invoke(main.app, ["doctor"]).exit_code == 0


def test_a_session_that_the_operator_declared_makes_a_login_needed(ward: Ward) -> None:
    """The doctor goes by the same calendar as the status."""
    ward.verdict = TokenRejectedError("Kite answered 403")
    ward.web.now = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)
    told = {"date": "2026-11-24", "open": True, "name": "Opened after all", "kind": "special", "sessions": "normal"}
    document = {"overrides": [{**told, "author": "operator", "at": "2026-11-23T18:00:00+05:30"}]}
    ward.parameters.write("market_overrides", json.dumps(document), secret=False)
    assert ward.results()["token"].code == 3


def test_kites_trouble_is_not_the_tokens(ward: Ward) -> None:
    """No answer says nothing about the token."""
    ward.verdict = KiteUnavailableError("Kite answered 502")
    assert ward.results()["token"].code == 4


def test_another_users_token_is_named(ward: Ward) -> None:
    """A token of somebody who is not allowed is no good token."""
    ward.verdict = "ZZ9999"
    assert "not allowed" in ward.results()["token"].detail


@pytest.mark.parametrize(
    ("change", "name", "tone", "words"),
    [
        (lambda w: w.beat(1, heartbeat_at=NOW - timedelta(minutes=5)), "worker", "bad", "5 min ago"),
        (lambda w: w.beat(9), "worker", "warn", "token 9"),
        (lambda w: w.beat(1, version="0.0.1"), "versions", "warn", "worker 0.0.1"),
        (lambda w: setattr(w.web, "skew", timedelta(seconds=10)), "clock", "warn", "10 s ahead"),
        (lambda w: setattr(w.web, "skew", timedelta(seconds=-90)), "clock", "bad", "90 s behind"),
        (lambda w: setattr(w, "days_left", 12), "TLS", "warn", "12 days"),
        (lambda w: setattr(w, "days_left", 2), "TLS", "bad", "2 days"),
        (lambda w: w.web.answers.pop(checks.EGRESS), "address", "warn", "does not answer"),
        (lambda w: w.web.answers.update({f"{PAGE}/login": Answer(500, {}, "")}), "redirect URL", "bad", "answers 500"),
    ],
)
def test_each_ill_has_its_name_and_its_fix(ward: Ward, change: Any, name: str, tone: str, words: str) -> None:
    """One thing wrong is one complaint, with what to do."""
    change(ward)
    results = ward.results()
    assert results[name].tone == tone
    assert words in results[name].detail
    assert results[name].fix
    assert [it.name for it in results.values() if it.tone in ("bad", "warn")] == [name]


def test_a_foreign_key_in_the_login_is_noticed(ward: Ward) -> None:
    """The page must lead to Zerodha with the very key that is stored."""
    other = "https://kite.zerodha.com/connect/login?v=3&api_key=other"
    ward.web.answers[f"{PAGE}/login"] = Answer(302, {"location": other}, "")
    assert "another API key" in ward.results()["redirect URL"].detail


def test_nothing_set_up_is_told_once_and_does_not_crash() -> None:
    """Without a place the checks that need one say just that; the others still run."""

    def nowhere() -> Mapping[str, str]:
        raise ConfigurationError("there is no stack 'kite-relay'")

    results = list(examine(Patient(nowhere, Web().ask, lambda _h, _p: NOW, lambda: NOW)))
    assert (results[0].tone, results[0].code) == ("bad", 5)
    assert [it.name for it in results if "no stack" in it.detail] == ["place"]
    assert {it.name for it in results if it.tone == "good"} == {"address", "calendar"}
    assert {it.detail for it in results[1:-2]} == {"not looked at: needs place"}


def test_the_verb_ends_with_the_code_of_the_first_ill(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """The login comes before the worker, as in mending."""
    ward.verdict = TokenRejectedError("Kite answered 403")
    ward.beat(1, heartbeat_at=NOW - timedelta(hours=1))
    monkeypatch.setattr(doctor, "Patient", lambda _: ward.patient())
    result = CliRunner().invoke(main.app, ["doctor"])
    assert result.exit_code == 3
    assert "2 to mend" in result.output
    assert json.loads(CliRunner().invoke(main.app, ["doctor", "--json"]).output)[0]["name"] == "place"


def test_the_report_may_be_shown_to_anybody(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """No secret, user, account, address or path stands in it."""
    monkeypatch.setattr(doctor, "Patient", lambda _: ward.patient())
    told = CliRunner().invoke(main.app, ["doctor", "--report"]).output
    for hidden in ("AB1234", "203.0.113.9", "abc123", "amazonaws", "relay.example.com", "key12345", SECRET, "/tmp"):  # noqa: S108 - looked for
        assert hidden not in told
    assert told.count("\n|") == len(CHECKS) + 2
    arn = "arn:aws:iam::123456789012:user/somebody in ap-south-1"
    assert doctor.redact(arn) == "arn:aws:iam::<account>:user/<identity> in ap-south-1"
