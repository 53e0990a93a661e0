"""What an operator declares tonight counts tomorrow, and trouble with it never takes the calendar away."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from kite_relay.adapters.calendar import MAX_AGE, OVERRIDES, CalendarSource, load_calendar
from kite_relay.domain.errors import ConfigurationError, MalformedError, StoreUnavailableError
from kite_relay.domain.market_data import SEGMENTS
from kite_relay.domain.market_overrides import dump_overrides, parse_overrides
from kite_relay.domain.token import IST
from tests.fakes.stores import FakeParameters
from tools.cli import calendar as calendar_cli
from tools.cli import market as market_cli
from worker.collectors import MarketCollector

NOW = datetime(2026, 11, 30, 15, tzinfo=UTC)
TUESDAY = date(2026, 12, 1)


def entry(**changes: Any) -> dict[str, Any]:
    """Give a closure of 2026-12-01, changed as told."""
    closure = {"date": "2026-12-01", "open": False, "name": "Election", "kind": "ad_hoc", "sessions": None}
    return closure | {"author": "an operator", "at": "2026-11-30T20:00:00+05:30"} | changes


def document(*entries: dict[str, Any]) -> str:
    """Give the operator's document."""
    return json.dumps({"overrides": entries})


def test_a_closure_declared_tonight_closes_tomorrow() -> None:
    """The day has no session, says who declared it, and arithmetic leaps over it."""
    calendar = load_calendar().with_overrides(parse_overrides(document(entry())))
    day = calendar.day(TUESDAY)
    assert (day.trading, day.holiday, day.confidence) == (False, "Election", "declared")
    assert "an operator" in day.source
    assert day.override
    assert day.override.at == datetime(2026, 11, 30, 14, 30, tzinfo=UTC)
    assert calendar.phase("cash", datetime(2026, 12, 1, 11, tzinfo=IST)).status == "CLOSED"
    assert calendar.add_trading_days(date(2026, 11, 30), 1) == date(2026, 12, 2)
    assert calendar.next_change("cash", datetime(2026, 11, 30, 17, tzinfo=IST)).at.day == 2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("sessions", "status"),
    [(None, "UNKNOWN"), ("normal", "LIVE")],
)
def test_a_session_declared_without_hours_is_unknown_not_guessed(sessions: Any, status: str) -> None:
    """A Saturday session: its hours are those given, an ordinary day's, or unknown."""
    saturday = entry(date="2026-12-05", open=True, kind="drill", sessions=sessions)
    calendar = load_calendar().with_overrides(parse_overrides(document(saturday)))
    assert calendar.is_trading_day(date(2026, 12, 5)) is True
    assert calendar.phase("cash", datetime(2026, 12, 5, 11, tzinfo=IST)).status == status


def test_a_session_may_give_the_muhurat_hours_that_the_data_lacks() -> None:
    """An override wins over the data file, day by day."""
    hours = ["18:00-18:15 PRE_OPEN undivided", "18:15-19:15 LIVE continuous"]
    every = dict.fromkeys(("cash", "cash_cas", "derivatives", "index"), hours)
    muhurat = entry(date="2026-11-08", open=True, kind="muhurat", sessions=every)
    calendar = load_calendar().with_overrides(parse_overrides(document(muhurat)))
    assert calendar.phase("cash", datetime(2026, 11, 8, 18, 30, tzinfo=IST)).status == "LIVE"
    assert calendar.phase("cash", datetime(2026, 11, 8, 18, 30, tzinfo=IST)).kind == "muhurat"


@pytest.mark.parametrize(
    "sessions",
    [{segment: ["09:01-10:59 LIVE continuous"] for segment in SEGMENTS}, "normal", None],
    ids=["hours", "normal", "unknown"],
)
def test_what_is_written_reads_back_the_same(sessions: Any) -> None:
    """To the last minute of an hour."""
    declared = parse_overrides(document(entry(open=True, sessions=sessions)))
    assert parse_overrides(dump_overrides(declared)) == declared


def test_a_segment_without_hours_of_its_own_stays_closed() -> None:
    """A session for some segments only; one that lasts to midnight ends there."""
    late = ["20:00-24:00 LIVE continuous"]
    some = {"cash": late, "cash_cas": late, "derivatives": [], "index": late}
    calendar = load_calendar().with_overrides(parse_overrides(document(entry(open=True, sessions=some))))
    night = datetime(2026, 12, 1, 23, 59, 59, tzinfo=IST)
    closed = calendar.phase("derivatives", night)
    assert (closed.status, closed.sub_phase) == ("CLOSED", "no_session")
    assert closed.sub_since == datetime(2026, 12, 1, tzinfo=IST)
    assert calendar.phase("cash", night).until == datetime(2026, 12, 2, tzinfo=IST)
    assert calendar.live_hours("derivatives", TUESDAY) is None


def test_an_override_past_the_data_counts_for_its_day_alone() -> None:
    """The days around it stay unknown, and the answers still say from when to when."""
    calendar = load_calendar().with_overrides(parse_overrides(document(entry(date="2027-01-26"))))
    phase = calendar.phase("cash", datetime(2027, 1, 26, 11, tzinfo=IST))
    assert (phase.status, phase.since, phase.until) == (
        "CLOSED",
        datetime(2027, 1, 26, tzinfo=IST),
        datetime(2027, 1, 27, tzinfo=IST),
    )
    before = calendar.phase("cash", datetime(2027, 1, 10, 11, tzinfo=IST))
    assert (before.status, before.until) == ("UNKNOWN", datetime(2027, 1, 26, tzinfo=IST))
    after = calendar.phase("cash", datetime(2027, 3, 1, 11, tzinfo=IST))
    assert (after.status, after.since, after.until) == ("UNKNOWN", datetime(2027, 1, 27, tzinfo=IST), None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"overrides": [1]}',
        document(entry(open="no")),
        document(entry(name=" ")),
        document(entry(author=None)),
        document(entry(date="01-12-2026")),
        document(entry(at="2026-11-30T20:00:00")),
        document(entry(sessions={"cash": []})),
        document(entry(open=True, sessions=["09:15-15:30 LIVE continuous"])),
        document(entry(), entry()),
        "[" * 100_000,
    ],
)
def test_a_document_that_is_none_is_refused_in_one_way(text: str) -> None:
    """Never a stack trace: one error with words."""
    with pytest.raises(MalformedError, match="market_overrides"):
        parse_overrides(text)


def test_a_declaration_counts_within_its_promise_and_not_by_reading_each_time() -> None:
    """The promise is five minutes; a read serves for two."""
    parameters = FakeParameters()
    source = CalendarSource(parameters)
    assert source.current(NOW).is_trading_day(TUESDAY) is True
    parameters.write(OVERRIDES, document(entry()), secret=False)
    assert source.current(NOW + timedelta(seconds=5)).is_trading_day(TUESDAY) is True
    assert source.current(NOW + MAX_AGE).is_trading_day(TUESDAY) is False
    assert timedelta(minutes=5) > MAX_AGE


def test_a_clock_that_steps_back_does_not_freeze_the_overrides() -> None:
    """A read from the future serves nobody."""
    parameters = FakeParameters()
    source = CalendarSource(parameters)
    source.current(NOW + timedelta(hours=1))
    parameters.write(OVERRIDES, document(entry()), secret=False)
    assert source.current(NOW).is_trading_day(TUESDAY) is False


@pytest.mark.parametrize("trouble", [StoreUnavailableError("SSM: throttled"), ConfigurationError("SSM: denied")])
def test_a_silent_store_keeps_the_last_good_overrides_and_says_so(trouble: Exception) -> None:
    """The calendar stays; `problem` is for the operator, and goes away with the trouble."""
    parameters = FakeParameters(market_overrides=document(entry()))
    source = CalendarSource(parameters, timedelta(0))
    assert source.current(NOW).is_trading_day(TUESDAY) is False
    parameters.trouble = trouble
    assert source.current(NOW).is_trading_day(TUESDAY) is False
    assert "cannot be read" in (source.problem or "")
    parameters.trouble = None
    source.current(NOW)
    assert source.problem is None


def test_a_broken_document_keeps_the_last_good_one_until_it_is_mended() -> None:
    """And the words name the command that mends it."""
    parameters = FakeParameters(market_overrides=document(entry()))
    source = CalendarSource(parameters, timedelta(0))
    source.current(NOW)
    parameters.write(OVERRIDES, "oops", secret=False)
    assert source.current(NOW).is_trading_day(TUESDAY) is False
    assert "calendar clear" in (source.problem or "")
    parameters.write(OVERRIDES, document(), secret=False)
    assert source.current(NOW).is_trading_day(TUESDAY) is True
    assert source.problem is None


@pytest.fixture
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One-machine mode: the settings stand in a file."""
    path = tmp_path / "kite.env"
    path.touch(mode=0o600)
    monkeypatch.setenv("ENV_FILE", str(path))
    return path


def run(*words: str, ok: bool = True) -> str:
    """Run `kite-relay calendar ...`."""
    result = CliRunner().invoke(calendar_cli.app, list(words))
    assert (result.exit_code == 0) is ok, result.output
    return result.output


@pytest.mark.usefixtures("env_file")
def test_the_command_line_declares_lists_and_takes_back() -> None:
    """What it stores is what the program reads, with author and time."""
    assert "Stored" in run("close", "2026-12-01", "Election in Mumbai", "--author", "me")
    run("open", "2026-12-05", "Drill", "--live", "11:30-12:30", "--live", "09:15-10:00", "--pre-open", "09:00-09:15")
    run("open", "2026-12-06", "Something", "--normal")
    assert "In place of" in run("open", "2026-12-06", "Nobody knows when")
    stored = parse_overrides(run("list", "--json"))
    assert stored[TUESDAY].author == "me"
    assert abs(stored[TUESDAY].at - datetime.now(UTC)) < timedelta(minutes=1)
    assert [it.status for it in stored[date(2026, 12, 5)].sessions["cash"]] == ["PRE_OPEN", "LIVE", "LIVE"]  # type: ignore[index]
    assert "hours unknown" in run("list")
    shown = CliRunner().invoke(market_cli.app, ["2026-12-01", "--json"])
    facts = json.loads(shown.output)
    assert (facts["is_trading_day"], facts["reason"]) == (False, "Election in Mumbai")
    assert facts["override"]["author"] == "me"
    run("remove", "2026-12-01")
    assert TUESDAY not in parse_overrides(run("list", "--json"))
    run("remove", "2026-12-01", ok=False)


def test_the_market_is_asked_where_the_overrides_were_declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of this folder counts as it does for every verb; where nothing is named, that is told."""
    monkeypatch.chdir(tmp_path)
    for name in ("ENV_FILE", "STACK_NAME", "BOARD_TABLE", "PARAMETER_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    day = ["2026-12-01"]
    assert "no stack and no file is named" in CliRunner().invoke(market_cli.app, day).output
    (tmp_path / ".env").write_text("KITE_API_KEY=key\nALLOWED_USER_IDS=AB1234\n")
    run("close", "2026-12-01", "Election")
    told = CliRunner().invoke(market_cli.app, day).output
    assert ("no session - Election" in told, "1 in force" in told) == (True, True), told


@pytest.mark.usefixtures("env_file")
@pytest.mark.parametrize(
    "words",
    [
        ("close", "tomorrow", "Election"),
        ("open", "2026-12-05", "Drill", "--live", "10:00-09:00"),
        ("open", "2026-12-05", "Drill", "--live", "nine to ten"),
        ("open", "2026-12-05", "Drill", "--pre-open", "09:00-09:15"),
        ("open", "2026-12-05", "Drill", "--normal", "--live", "09:15-10:00"),
    ],
)
def test_the_command_line_refuses_what_makes_no_sense(words: tuple[str, ...]) -> None:
    """With words, and nothing is stored."""
    assert "Invalid value" in run(*words, ok=False)
    assert parse_overrides(run("list", "--json")) == {}


def test_more_than_a_parameter_holds_is_refused_before_it_is_sent(env_file: Path) -> None:
    """The words say what to do."""
    for day in range(1, 21):
        result = CliRunner().invoke(calendar_cli.app, ["close", f"2026-12-{day:02}", "x" * 200])
        if result.exception:
            assert "remove past ones" in str(result.exception)
            assert len(env_file.read_text()) < 2 * calendar_cli.MAX_BYTES
            return
    pytest.fail("20 long entries fitted into 4 KB")


def test_a_document_beyond_repair_can_be_cleared(env_file: Path) -> None:
    """`list` says it is broken; `clear` starts anew."""
    env_file.write_text("KITE_MARKET_OVERRIDES=oops\n")
    assert isinstance(CliRunner().invoke(calendar_cli.app, ["list"]).exception, MalformedError)
    assert CliRunner().invoke(calendar_cli.app, ["clear"], input="n\n").exit_code == 1
    run("clear", "--yes")
    assert parse_overrides(run("list", "--json")) == {}


def test_the_check_command_tells_every_problem(tmp_path: Path) -> None:
    """Good data passes; bad data is named, and the exit code is that of a configuration error."""
    assert "good" in run("check")
    bad = tmp_path / "bad.json"
    bad.write_text("{}")
    result = CliRunner().invoke(calendar_cli.app, ["check", str(bad)])
    assert result.exit_code == 5
    assert "regimes" in result.output


def test_a_closure_counts_for_the_workers_metric_too() -> None:
    """No alert on silence may fire on a holiday that was declared last night."""
    noon = datetime(2026, 12, 1, 12, tzinfo=IST)
    parameters = FakeParameters()
    source = CalendarSource(parameters)
    metric = MarketCollector(source.standing, lambda: noon)

    def live() -> set[float]:
        return {sample.value for family in metric.collect() for sample in family.samples}

    assert live() == {1}
    parameters.write(OVERRIDES, document(entry()), secret=False)
    assert live() == {1}, "a scrape asks nobody"
    source.current(noon)
    assert live() == {0}
