"""Findings of the state of things that the truth table does not vary, and the words at the edge of the calendar."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kite_relay import __version__
from kite_relay.adapters.calendar import load_calendar
from kite_relay.domain.health import Health, Status, assess
from kite_relay.domain.status_findings import Finding, Severity
from kite_relay.domain.status_market import MarketFacts, next_login_time
from kite_relay.domain.status_rules import Facts
from kite_relay.domain.status_words import clock, day, moment, moment_ist, span
from kite_relay.domain.status_worker import believed
from kite_relay.domain.token import IST
from tools.truth_table.cells import TOKENS, WORKERS, cell, ist

OPEN = "A trading day at 10:00, the market is open"
GOOD = cell(OPEN, "made at 7:40, accepted", "ticks come", "right").facts


def beat(facts: Facts = GOOD, **changes: Any) -> Facts:
    """Change what the worker said."""
    assert facts.heartbeat
    return replace(facts, heartbeat=replace(facts.heartbeat, **changes))


def finding(facts: Facts, code: str) -> Finding | None:
    """Give the one finding of a code, if it is shown."""
    return next((found for found in assess(facts).findings if found.code == code), None)


def at(now: datetime, token: str = "made at 7:40, accepted", worker: str = "ticks come") -> Facts:
    """Give the facts of another instant."""
    market = MarketFacts.read(load_calendar(), now)
    return Facts(now, TOKENS[token](now), WORKERS[worker](now), market, GOOD.login_url, __version__)


def test_all_is_well_without_a_finding() -> None:
    """What the tests below change is the only thing that is wrong in them."""
    assert assess(GOOD).findings == []


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"failed_channels": ("telegram", "mail")}, "notify_failed", "telegram, mail"),
        ({"market": replace(GOOD.market, overrides_problem="a date stands twice")}, "market_overrides_broken", "twice"),
    ],
)
def test_trouble_beside_the_feed_is_a_warning_that_names_it(change: dict[str, Any], code: str, words: str) -> None:
    """Ticks flow on, and the verdict stays."""
    facts = replace(GOOD, **change)
    found = finding(facts, code)
    assert found
    assert found.severity is Severity.WARNING
    assert words in found.title
    assert assess(facts).status is Status.HEALTHY


def test_a_missing_key_is_grave_only_where_no_tick_comes() -> None:
    """A worker that has its token needs the key no more today."""
    served = replace(GOOD, api_key_present=False)
    unserved = beat(served, connected=False)
    assert (assess(served).status, assess(unserved).status) == (Status.DEGRADED, Status.DOWN)


@pytest.mark.parametrize(("waited", "code"), [(75, "token_on_its_way"), (76, "token_not_picked_up")])
def test_a_token_has_75_seconds_to_reach_the_worker(waited: int, code: str) -> None:
    """Until then it is on its way; afterwards something is wrong."""
    stamp = GOOD.token.stamp
    assert stamp
    late = replace(beat(generation=stamp.generation - 1), now=stamp.written_at + timedelta(seconds=waited))
    late = beat(late, heartbeat_at=late.now)
    found = finding(late, code)
    assert found
    assert found.since == stamp.written_at
    assert ("76 seconds after" in found.title) == (waited == 76)


def test_while_the_old_token_still_brings_ticks_the_new_one_may_take_its_time() -> None:
    """That is the handover: no fault."""
    stamp = GOOD.token.stamp
    assert stamp
    early = replace(GOOD, now=stamp.written_at + timedelta(seconds=5))
    early = beat(early, generation=stamp.generation - 1, heartbeat_at=early.now, last_tick_at=early.now)
    flowing, mute = finding(early, "token_on_its_way"), finding(beat(early, connected=False), "token_on_its_way")
    assert flowing
    assert mute
    assert (flowing.severity, mute.severity) == (Severity.INFO, Severity.ERROR)


def test_a_token_that_nobody_announced_says_so() -> None:
    """The worker finds it by itself; who published it should know."""
    record = GOOD.token.record
    assert record
    found = finding(
        replace(GOOD, token=replace(GOOD.token, record=replace(record, announced_at=None))), "announcement_failed"
    )
    assert found
    assert found.severity is Severity.WARNING


def test_a_store_that_does_not_answer_has_not_gone_back() -> None:
    """Only its own word tells of a lower version."""
    assert GOOD.token.stamp
    ahead = beat(generation=GOOD.token.stamp.generation + 1)
    assert finding(ahead, "generation_reset")
    assert finding(replace(ahead, token=TOKENS["the store is silent"](GOOD.now)), "generation_reset") is None


@pytest.mark.parametrize(("stands", "severity"), [(120, Severity.WARNING), (121, Severity.ERROR)])
def test_a_store_that_has_gone_back_is_grave_after_two_minutes(stands: int, severity: Severity) -> None:
    """Counted from when what stands there was written."""
    stamp = GOOD.token.stamp
    assert stamp
    now = stamp.written_at + timedelta(seconds=stands)
    found = finding(replace(beat(generation=stamp.generation + 1, heartbeat_at=now), now=now), "generation_reset")
    assert found
    assert (found.severity, found.since) == (severity, stamp.written_at)


def test_a_worker_that_looks_elsewhere_does_so_since_the_token_was_written() -> None:
    """What it says itself is only since when it looks."""
    stamp = GOOD.token.stamp
    assert stamp
    now = stamp.written_at + timedelta(seconds=76)
    entry = {"code": "token_absent", "detail": "/other/access_token"}
    late = replace(beat(generation=stamp.generation - 1, heartbeat_at=now, findings=[entry]), now=now)
    found = finding(late, "token_absent")
    assert found
    assert found.since == stamp.written_at


def test_of_a_heartbeat_only_what_has_the_right_type_is_believed() -> None:
    """The worker may be of another version than the page."""
    assert GOOD.heartbeat
    said: dict[str, Any] = {
        "version": 3,
        "generation": True,
        "connected": "yes",
        "subscriptions": "2",
        "redis": "maybe",
        "clock_skew_seconds": "fast",
        "clients": 2,
        "findings": [{"code": "x"}, "y"],
    }
    meant: dict[str, Any] = {
        "version": "3",
        "generation": 0,
        "connected": False,
        "subscriptions": 0,
        "redis": "unreachable",
        "clock_skew_seconds": None,
        "clients": [],
        "findings": [{"code": "x"}],
    }
    assert believed(replace(GOOD.heartbeat, **said)) == replace(GOOD.heartbeat, **meant)
    assert believed(GOOD.heartbeat) == GOOD.heartbeat
    assert believed(None) is None


def test_the_relays_clients_are_features_while_the_worker_is_believed() -> None:
    """By name, with a connection; the built-in ones even without; of a silent worker nothing is known."""
    clients = [{"name": "bot", "connections": 2}, {"name": "gone", "connections": 0}, {"name": "of old"}]
    shown = assess(beat(clients=clients)).features
    relay = {"relay", "bot", "gone", "of old", "ai_analysis"}
    assert {name: feature.value for name, feature in shown.items() if name in relay} == {
        "relay": "active",
        "bot": "active",
        "of old": "active",
        "ai_analysis": "not_connected",
    }
    assert assess(beat(clients=[])).features["relay"].value == "idle"
    silent = assess(beat(clients=clients, heartbeat_at=GOOD.now - timedelta(seconds=120))).features
    assert {feature.value for feature in silent.values()} == {"stale"}


def test_a_fresh_connection_has_half_a_minute_for_its_first_tick() -> None:
    """Counted from the connection; then it is mute."""
    fresh = beat(connected_at=GOOD.now - timedelta(seconds=30), last_tick_at=None)
    late = beat(connected_at=GOOD.now - timedelta(seconds=31), last_tick_at=None)
    assert finding(fresh, "first_tick_awaited")
    mute = finding(late, "feed_mute")
    assert mute
    assert mute.since == late.now - timedelta(seconds=31)
    assert "31 seconds" in mute.title


@pytest.mark.parametrize(
    ("skew", "severity"),
    [(None, None), (2.0, None), (-2.1, Severity.WARNING), (30.0, Severity.WARNING), (30.1, Severity.ERROR)],
)
def test_a_clock_is_judged_by_how_far_it_is_off(skew: float | None, severity: Severity | None) -> None:
    """In either direction; what is not known is no fault."""
    found = finding(beat(clock_skew_seconds=skew), "clock_skew")
    assert (found and found.severity) == severity


def test_what_the_worker_found_is_passed_on() -> None:
    """In our words where we have some, else in its own; what is no code is not repeated, a broken time is left out."""
    since = "2026-11-27T04:00:00+00:00"
    own = [
        {"code": "<script>", "detail": "x"},
        {"code": "disk_full", "detail": "The disk is full", "since": since},
        {"code": "no_words_given", "since": "yesterday"},
        {"code": "instruments_unknown", "detail": "NSE:NOPE", "since": since},
        {"detail": "no code"},
    ]
    found = {it.code: it for it in assess(beat(findings=own)).findings}
    assert found.keys() == {"disk_full", "no_words_given", "instruments_unknown"}
    assert found["disk_full"].title == "The disk is full"
    assert found["disk_full"].since == datetime(2026, 11, 27, 4, tzinfo=UTC)
    assert (found["no_words_given"].title, found["no_words_given"].since) == ("no words given", None)
    assert found["instruments_unknown"].title.endswith(": NSE:NOPE")
    assert found["disk_full"].fix == "Look at the worker's log"
    assert found["instruments_unknown"].since == datetime(2026, 11, 27, 4, tzinfo=UTC)
    long = finding(beat(findings=[{"code": "chatty", "detail": "x" * 301}]), "chatty")
    assert long
    assert long.title == "x" * 300


def test_a_mute_feed_is_told_in_the_workers_own_words() -> None:
    """It counts packets, we count minutes."""
    since = datetime(2026, 11, 27, 3, 45, tzinfo=UTC)
    entry = {"code": "feed_mute", "detail": "No packet at all since 09:15", "since": since.isoformat()}
    found = finding(beat(findings=[entry]), "feed_mute")
    assert found
    assert (found.title, found.since) == (entry["detail"], since)


def test_the_worker_of_another_version_and_without_redis() -> None:
    """One is a warning, the other breaks what hangs on it."""
    drift, redis = (
        finding(beat(version="0.0.1"), "version_drift"),
        finding(beat(redis="unreachable"), "redis_unreachable"),
    )
    assert drift
    assert "0.0.1" in drift.title
    assert __version__ in drift.title
    assert redis
    assert redis.severity is Severity.ERROR


@pytest.mark.parametrize(
    ("today", "code"),
    [("2026-11-30", None), ("2026-12-01", "calendar_ends_soon"), ("2026-12-31", "calendar_ends_soon"),
     ("2027-01-01", "calendar_ended")],
)  # fmt: skip
def test_the_calendar_warns_30_days_before_its_end(today: str, code: str | None) -> None:
    """2026 is known to its last day."""
    codes = {it.code for it in assess(at(ist(f"{today} 10:00"))).findings if it.code.startswith("calendar")}
    assert codes == ({code} if code else set())


def last_evening(worker: str = "connected, no tick for 10 min") -> Health:
    """Judge the evening of the calendar's last day."""
    return assess(at(ist("2026-12-31 20:00"), worker=worker))


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ("2026-11-27 07:45", "the market is closed and opens 09:15 IST"),
        ("2026-11-27 09:05", "the market is in its pre-open and opens 09:15 IST"),
    ],
)
def test_all_being_ready_the_verdict_says_what_is_waited_for(now: str, words: str) -> None:
    """The market's phase, and when it opens."""
    ready = assess(at(ist(now), worker="connected, no tick for 10 min"))
    assert ready.verdict == f"Ready: {words}. The token from 07:40 IST should last until tomorrow 06:00 IST."


@pytest.mark.parametrize(
    ("now", "words", "login"),
    [
        ("2026-11-27 15:50", "the market is in its post-close session and opens Monday 09:15 IST", "Monday"),
        ("2026-11-26 20:00", "the market is closed and opens tomorrow 09:15 IST", "tomorrow"),
        ("2026-11-28 12:00", "the market is closed and opens Monday 09:15 IST", "Monday"),
        ("2026-12-25 10:00", "the market is closed for Christmas and opens Monday 09:15 IST", "Monday"),
    ],
)
def test_a_token_that_dies_before_the_next_session_is_not_ready_for_it(now: str, words: str, login: str) -> None:
    """Nothing is to be done, and the next session needs a login of its own."""
    resting = assess(at(ist(now), worker="connected, no tick for 10 min"))
    assert resting.status is Status.IDLE
    assert resting.verdict == (
        f"Resting: {words}. The token from 07:40 IST should last until tomorrow 06:00 IST; "
        f"no login is worth it before {login} 07:35 IST."
    )


def test_yesterdays_token_is_not_ready_for_today() -> None:
    """At 5:00 it is good for another hour."""
    early = assess(at(ist("2026-11-27 05:00"), worker="connected, no tick for 10 min"))
    assert early.verdict.endswith("should last until 06:00 IST; no login is worth it before 07:35 IST.")


def test_where_no_login_is_worth_it_the_verdict_says_from_when_on_it_is() -> None:
    """And what is wrong with the token there is."""
    resting = assess(at(ist("2026-11-28 12:00"), token="never made", worker="not connected"))
    assert resting.verdict == (
        "Resting: the market is closed and opens Monday 09:15 IST. "
        "There is no token yet; no login is worth it before Monday 07:35 IST."
    )


def test_on_the_calendars_last_evening_no_time_is_made_up() -> None:
    """When the market opens next is not known, and so no login is asked for at a certain time."""
    facts = at(ist("2026-12-31 20:00"))
    assert next_login_time(facts.market, facts.now) is None
    assert last_evening().next_action == "Market CLOSED - not known from tomorrow 12:00 AM on"
    bare = replace(facts, market=replace(facts.market, unknown_from=None))
    assert assess(bare).next_action == "Market CLOSED"
    resting = assess(at(facts.now, token="never made", worker="not connected"))
    assert "no login is worth it before the next trading day" in resting.verdict


@pytest.mark.parametrize(
    ("now", "login"),
    [
        ("2026-11-27 05:00", "2026-11-27 07:35"),
        ("2026-11-27 07:35", "2026-11-27 07:35"),
        ("2026-11-27 15:00", "2026-11-27 15:00"),
        ("2026-11-27 20:00", "2026-11-30 07:35"),
        ("2026-11-28 12:00", "2026-11-30 07:35"),
    ],
)
def test_a_login_is_worth_it_from_0735_of_a_trading_day(now: str, login: str) -> None:
    """While its session is on or ahead; else on the next one."""
    facts = at(ist(now))
    assert next_login_time(facts.market, facts.now) == ist(login)


def test_a_token_that_dies_before_todays_session_leads_to_todays_login() -> None:
    """At 5:00 it is still good, and of no use for the day; at 20:00 it is tomorrow's matter."""
    early, late = assess(at(ist("2026-11-27 05:00"))), assess(at(ist("2026-11-26 20:00")))
    assert early.next_action.endswith(f"; log in 7:35 AM or later: {GOOD.login_url}")
    assert late.next_action == "Market CLOSED - opens tomorrow 9:15 AM"


NOW = datetime(2026, 11, 27, 10, tzinfo=IST)


@pytest.mark.parametrize(
    ("instant", "word"),
    [
        ("2026-11-19 10:00", "Thursday 19 November"),
        ("2026-11-26 00:00", "yesterday"),
        ("2026-11-27 23:59", "today"),
        ("2026-11-28 00:00", "tomorrow"),
        ("2026-11-29 00:00", "Sunday"),
        ("2026-12-03 23:59", "Thursday"),
        ("2026-12-04 00:00", "Friday 4 December"),
    ],
)
def test_a_day_is_said_as_a_person_would(instant: str, word: str) -> None:
    """By its name while that is enough; in India, wherever the instant was written down."""
    assert day(ist(instant).astimezone(UTC), NOW.astimezone(UTC)) == word


def test_a_time_is_said_with_its_day_unless_it_is_today() -> None:
    """In the two ways that the page has."""
    today, tomorrow = ist("2026-11-27 09:15").astimezone(UTC), ist("2026-11-28 18:05").astimezone(UTC)
    assert (clock(today), clock(tomorrow)) == ("9:15 AM", "6:05 PM")
    assert (moment(today, NOW), moment(tomorrow, NOW)) == ("9:15 AM", "tomorrow 6:05 PM")
    assert (moment_ist(today, NOW), moment_ist(tomorrow, NOW)) == ("09:15 IST", "tomorrow 18:05 IST")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 seconds"), (1, "1 second"), (2, "2 seconds"), (119, "119 seconds"), (120, "2 minutes"),
     (7199, "119 minutes"), (7200, "2 hours"), (172_799, "47 hours"), (172_800, "2 days")],
)  # fmt: skip
def test_a_length_is_said_in_the_largest_unit_that_there_are_two_of(seconds: int, words: str) -> None:
    """So that no plural is wrong and no number large."""
    assert span(timedelta(seconds=seconds)) == words
