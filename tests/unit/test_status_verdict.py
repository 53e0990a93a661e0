"""The verdict's words, the findings that it rests on, and the next action, while this or that is wrong."""

import time
from dataclasses import replace
from datetime import date, timedelta

import pytest

from kite_relay.domain.health import assess
from kite_relay.domain.records import TokenCheck
from kite_relay.domain.status_findings import KINDS
from kite_relay.domain.status_rules import Facts
from kite_relay.domain.status_token import TokenFacts
from kite_relay.domain.status_worker import Feature
from kite_relay.domain.token import TokenStamp
from tools.truth_table.cells import GENERATION, LOGIN_URL, MOMENTS, TOKENS, cell, ist

OPEN = "A trading day at 10:00, the market is open"
EVENING = "A trading day at 20:00, in the evening"
SATURDAY = "A Saturday at 12:00"
NEW_YEAR = "A day past the calendar's end, at 11:00"
CLEARING = "A trading day at 6:40, while Zerodha clears tokens"
GOOD, REJECTED = "made at 7:40, accepted", "made at 7:40, rejected"
BY_HAND, NONE = "put in by hand, not confirmed", "never made"


def facts(moment: str = OPEN, token: str = GOOD, worker: str = "ticks come", clock: str = "right") -> Facts:
    """Give the facts of a cell of the truth table."""
    return cell(moment, token, worker, clock).facts


def without_redis(known: Facts) -> Facts:
    """Let the worker tell that Redis is away: a fault that stops no tick."""
    assert known.heartbeat
    return replace(known, heartbeat=replace(known.heartbeat, redis="unreachable"))


def unannounced(known: Facts) -> Facts:
    """Let the token's writer fail to announce it."""
    assert known.token.record
    return replace(known, token=replace(known.token, record=replace(known.token.record, announced_at=None)))


def title(code: str, detail: str = "") -> str:
    """Give a finding's sentence."""
    return KINDS[code].title.format(detail=detail)


REDIS, CLOCK, SILENT = (
    title("redis_unreachable"),
    title("clock_skew", "45 seconds"),
    title("worker_silent", "2 minutes"),
)
NO_KEY, NO_WORKER, NO_TOKEN = title("api_key_missing"), title("worker_never_seen"), "There is no token yet"


@pytest.mark.parametrize(
    ("known", "verdict"),
    [
        pytest.param(without_redis(facts()), f"Ticks are flowing, but: {REDIS}.", id="a fault leaves ticks flowing"),
        pytest.param(without_redis(facts(EVENING)), f"Degraded: {REDIS}.", id="what comes at night is no flow"),
        pytest.param(
            without_redis(facts(worker="not connected")),
            f"Degraded: {title('feed_down')}.",
            id="the same fault without a feed",
        ),
        pytest.param(
            replace(without_redis(facts()), failed_channels=("mail",)),
            f"Ticks are flowing, but: {REDIS}.",
            id="a warning is not what is named",
        ),
        pytest.param(
            without_redis(facts(clock="45 s off")),
            f"Ticks are flowing, but: {CLOCK}.",
            id="of two faults the first is named",
        ),
        pytest.param(
            without_redis(facts(token=REJECTED)),
            f"Login needed: {title('token_rejected')}.",
            id="a login comes before a fault",
        ),
        pytest.param(
            facts(worker="silent for 120 s"), f"Down: {SILENT}.", id="a worker that is gone is all there is to say"
        ),
        pytest.param(
            facts(token=REJECTED, worker="silent for 120 s"),
            f"Down: {SILENT}. {title('token_rejected')}.",
            id="the worker first, then the token",
        ),
        pytest.param(
            replace(facts(token=NONE, worker="never heard"), api_key_present=False),
            f"Down: {NO_KEY}. {NO_WORKER}.",
            id="without a key the token is no news",
        ),
    ],
)
def test_the_verdict_names_what_is_worst(known: Facts, verdict: str) -> None:
    """And says whether ticks flow all the same."""
    assert assess(known).verdict == verdict


def test_at_most_two_faults_are_told_of_a_worker_that_is_gone() -> None:
    """A sentence, not a list: the findings stand below it."""
    health = assess(facts("A muhurat day at 18:30, its times not known", NONE, "never heard"))
    assert [it.code for it in health.findings] == ["worker_never_seen", "token_missing", "session_times_unknown"]
    assert health.verdict == f"Down: {NO_WORKER}. {NO_TOKEN}."


def test_a_token_of_unknown_age_that_zerodha_took_has_an_end_all_the_same() -> None:
    """Counted from when it was taken; when it was made is not said."""
    known = facts(token=BY_HAND)
    taken = TokenCheck(GENERATION, verified_at=ist("2026-11-27 09:00"))
    verdict = assess(replace(known, token=replace(known.token, check=taken))).verdict
    assert verdict == "Live: ticks are flowing. The token should last until tomorrow 06:00 IST."


def test_a_feed_that_joined_in_the_closing_auction_waits_for_no_tick() -> None:
    """Ready, and in an open market no opening is told of; nor an end that nobody knows."""
    known = facts("A trading day at 15:20, in the closing auction")
    assert known.heartbeat
    joined = replace(known.heartbeat, connected_at=known.now - timedelta(minutes=2), last_tick_at=None)
    health = assess(replace(known, heartbeat=joined))
    assert health.verdict.startswith("Ready: the market is open. The token from")
    endless = {name: replace(phase, until=None) for name, phase in known.market.segments.items()}
    assert assess(replace(known, market=replace(known.market, segments=endless))).next_action == "Market LIVE"


def test_resting_tells_of_the_token_and_not_of_a_warning() -> None:
    """A warning stands above it in the list, and changes nothing."""
    health = assess(replace(facts(SATURDAY, REJECTED, "not connected"), failed_channels=("mail",)))
    assert [it.code for it in health.findings] == ["notify_failed", "token_rejected"]
    assert f". {title('token_rejected')}; no login is worth it before Monday 07:35 IST." in health.verdict


@pytest.mark.parametrize(
    ("known", "action"),
    [
        pytest.param(
            facts(token=REJECTED, worker="never heard"),
            f"{KINDS['worker_never_seen'].fix}, then log in: {LOGIN_URL}",
            id="the worker, then a login",
        ),
        pytest.param(
            facts(token=BY_HAND, worker="never heard"),
            KINDS["worker_never_seen"].fix,
            id="the worker that is started will try the token",
        ),
        pytest.param(
            facts(EVENING, REJECTED, "never heard"), KINDS["worker_never_seen"].fix, id="no login that would not help"
        ),
        pytest.param(without_redis(facts(token=REJECTED)), f"Log in: {LOGIN_URL}", id="a login mends what is worst"),
        pytest.param(without_redis(facts()), KINDS["redis_unreachable"].fix, id="a fault's own cure"),
        pytest.param(
            facts(token="made at 6:30, not confirmed", clock="45 s off"),
            KINDS["clock_skew"].fix,
            id="no login yet while ticks flow on the token that is in doubt",
        ),
    ],
)
def test_the_next_action_is_one_way_in_the_order_of_mending(known: Facts, action: str) -> None:
    """What must be mended first, and a login after it where it is sure to be needed."""
    assert assess(known).next_action == action


@pytest.mark.parametrize(
    ("known", "code", "since", "words"),
    [
        pytest.param(facts(token=NONE, worker="never heard"), "token_missing", None, NO_TOKEN, id="never made"),
        pytest.param(facts(token="logged out"), "token_missing", "27 07:40", "Logged out", id="logged out"),
        pytest.param(facts(token=REJECTED), "token_rejected", "27 09:57", "rejects", id="rejected"),
        pytest.param(facts(token="two days old"), "token_expired", "26 06:00", "yesterday 06:00 IST", id="expired"),
        pytest.param(facts(token=BY_HAND), "token_suspect", "27 07:40", "put in by hand", id="put in by hand"),
        pytest.param(
            facts(token="made at 6:30, not confirmed"), "token_suspect", "27 06:30", "before 07:30 IST", id="made early"
        ),
        pytest.param(facts(CLEARING), "token_suspect", "26 07:40", "past its documented end", id="being cleared"),
        pytest.param(facts(worker="silent for 120 s"), "worker_silent", "27 09:58", "2 minutes", id="silent"),
        pytest.param(facts(worker="last heard 60 s ago"), "worker_late", "27 09:59", "60 seconds", id="late"),
        pytest.param(facts(worker="from the future"), "clock_skew", None, "5 minutes", id="ahead of our clock"),
        pytest.param(facts(worker="not connected"), "feed_down", "27 09:59:58", "", id="not connected"),
        pytest.param(facts(NEW_YEAR), "calendar_ended", None, "31 December 2026", id="past the calendar's end"),
        pytest.param(
            replace(facts(), market=replace(facts().market, valid_through=date(2026, 12, 20))),
            "calendar_ends_soon",
            None,
            "20 December 2026",
            id="near its end",
        ),
        pytest.param(unannounced(facts()), "announcement_failed", "27 07:40", "", id="not announced"),
        pytest.param(
            replace(facts(), failed_channels=("mail",), failed_at=ist("2026-11-27 09:30")),
            "notify_failed",
            "27 09:30",
            "mail",
            id="a message that was not sent",
        ),
    ],
)
def test_a_finding_tells_since_when_and_what(known: Facts, code: str, since: str | None, words: str) -> None:
    """Since it began, not since somebody looked."""
    found = next(it for it in assess(known).findings if it.code == code)
    assert found.since == (since and ist(f"2026-11-{since}"))
    assert words in found.title


def test_what_a_silent_worker_found_counts_no_more() -> None:
    """Neither its clock's error nor a full disk: it may be mended since."""
    known = facts(worker="silent for 120 s", clock="45 s off")
    assert known.heartbeat
    silent = replace(known, heartbeat=replace(known.heartbeat, findings=[{"code": "disk_full"}]))
    assert [it.code for it in assess(silent).findings] == ["worker_silent"]


@pytest.mark.parametrize(
    ("moment", "token", "feature"),
    [(OPEN, NONE, Feature.DOWN), (EVENING, GOOD, Feature.DOWN), (EVENING, NONE, Feature.IDLE)],
    ids=["a login is worth it", "there is a token", "neither"],
)
def test_no_feed_is_missed_while_there_is_no_token_and_no_login_is_worth_it(
    moment: str, token: str, feature: Feature
) -> None:
    """Else a worker that is not connected is at fault."""
    assert assess(facts(moment, token, "not connected")).features["market_feed"] is feature


def test_the_first_token_ever_is_on_its_way_to_a_worker_that_never_had_one() -> None:
    """Its generation is 1, the worker's 0."""
    known = facts()
    assert known.heartbeat
    stamp = TokenStamp(1, known.now)
    waiting = replace(known, token=TokenFacts(stamp), heartbeat=replace(known.heartbeat, generation=0))
    found = {it.code: it.since for it in assess(waiting).findings}
    assert found["token_on_its_way"] == known.now


def test_the_answer_is_the_same_on_a_host_in_new_york(monkeypatch: pytest.MonkeyPatch) -> None:
    """Days and hours are India's: by the host's own it is another day there half of the time."""
    cells = [(moment, token) for moment in MOMENTS for token in TOKENS]
    here = [assess(facts(moment, token, "not connected")) for moment, token in cells]
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert [assess(facts(moment, token, "not connected")) for moment, token in cells] == here
    finally:
        monkeypatch.undo()
        time.tzset()
