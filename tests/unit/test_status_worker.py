"""The worker, its feed and the market's hours at the very limits: exactly as long as may be, and a moment longer."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from kite_relay.adapters.calendar import load_calendar
from kite_relay.domain.market import Status
from kite_relay.domain.records import Heartbeat
from kite_relay.domain.status_market import MarketFacts
from kite_relay.domain.status_worker import Feature, Pulse, WorkerView, features, silence, view_worker
from tools.truth_table.cells import ist

NOW = ist("2026-11-27 10:00")
A_MOMENT = timedelta(microseconds=1)
HALF_A_MINUTE = timedelta(seconds=30)


def beat(**changes: Any) -> Heartbeat:
    """Let a worker tell just now that it is connected and hears frames and ticks."""
    told = Heartbeat(heartbeat_at=NOW, connected=True, connected_at=NOW, last_frame_at=NOW, last_tick_at=NOW)
    return replace(told, **changes)


def seen(now: datetime = NOW, **changes: Any) -> WorkerView:
    """See that worker, changed, at an instant."""
    return view_worker(beat(**changes), now, board_answered=True)


def market(now: datetime = NOW) -> MarketFacts:
    """Ask the calendar."""
    return MarketFacts.read(load_calendar(), now)


def feed(worker: WorkerView, facts: MarketFacts, now: datetime = NOW, *, token_needed: bool = True) -> Feature:
    """Tell how the market feed is."""
    return features(worker, facts, now, token_needed=token_needed)["market_feed"]


@pytest.mark.parametrize(
    ("age", "pulse"),
    [
        (-HALF_A_MINUTE - A_MOMENT, Pulse.FUTURE),
        (-HALF_A_MINUTE, Pulse.FRESH),
        (HALF_A_MINUTE - A_MOMENT, Pulse.FRESH),
        (HALF_A_MINUTE, Pulse.LATE),
        (timedelta(minutes=2) - A_MOMENT, Pulse.LATE),
        (timedelta(minutes=2), Pulse.SILENT),
    ],
    ids=str,
)
def test_a_heartbeat_is_judged_by_its_age(age: timedelta, pulse: Pulse) -> None:
    """Silent means two whole minutes; a clock may be ahead of ours by half a minute."""
    worker = seen(heartbeat_at=NOW - age)
    assert (worker.pulse, worker.age) == (pulse, age)


def test_without_a_heartbeat_there_is_nothing_to_judge() -> None:
    """A board that does not answer is not a worker that was never there."""
    assert view_worker(beat(), NOW, board_answered=False) == WorkerView(Pulse.UNKNOWN)
    for nothing in (None, beat(heartbeat_at=None)):
        assert view_worker(nothing, NOW, board_answered=True) == WorkerView(Pulse.NEVER)


@pytest.mark.parametrize(
    ("heartbeat_at", "last_tick_at", "age"),
    [
        (NOW, NOW - HALF_A_MINUTE, HALF_A_MINUTE),
        (NOW - timedelta(seconds=10), NOW - HALF_A_MINUTE, HALF_A_MINUTE),
        (NOW + timedelta(seconds=20), NOW - HALF_A_MINUTE, timedelta(seconds=50)),
        (NOW, None, None),
    ],
    ids=["told at once", "told a while ago", "by a clock that is ahead", "no tick"],
)
def test_a_ticks_age_is_the_older_of_two_readings(
    heartbeat_at: datetime, last_tick_at: datetime | None, age: timedelta | None
) -> None:
    """By our clock, and by the worker's own."""
    assert seen(heartbeat_at=heartbeat_at, last_tick_at=last_tick_at).tick_age == age


def test_green_is_a_tick_of_the_last_half_minute() -> None:
    """Exactly half a minute still is; a moment more is a feed that fell silent."""
    worker, late = seen(last_tick_at=NOW - HALF_A_MINUTE), seen(last_tick_at=NOW - HALF_A_MINUTE - A_MOMENT)
    assert (worker.ticking, feed(worker, market())) == (True, Feature.ACTIVE)
    assert (late.ticking, feed(late, market())) == (False, Feature.STALE)
    assert not seen(connected=False).ticking


@pytest.mark.parametrize(
    ("moment", "changes", "token_needed", "feature"),
    [
        pytest.param("11-27 10:00", {"connected": False}, True, Feature.DOWN, id="a token is there, or worth having"),
        pytest.param("11-28 12:00", {"connected": False}, False, Feature.IDLE, id="no login is worth it: none missed"),
        pytest.param("11-28 12:00", {"connected": False}, True, Feature.DOWN, id="a token that nobody uses"),
        pytest.param("11-28 12:00", {}, True, Feature.IDLE, id="closed: what comes is what Zerodha kept"),
        pytest.param("11-27 09:05", {"last_tick_at": None}, True, Feature.IDLE, id="before the opening none is due"),
        pytest.param("11-27 09:05", {}, True, Feature.ACTIVE, id="what comes before the opening is a feed"),
        pytest.param("11-27 10:00", {"last_tick_at": None}, True, Feature.STALE, id="in open trading one is due"),
        pytest.param("11-08 18:30", {"last_tick_at": None}, True, Feature.STALE, id="unknown hours are never well"),
    ],
)
def test_a_feed_is_missed_only_where_one_is_due(
    moment: str, changes: dict[str, Any], token_needed: bool, feature: Feature
) -> None:
    """By the market, and by whether there is a token to be had."""
    now = ist(f"2026-{moment}")
    told = {"heartbeat_at": now, "connected_at": now - timedelta(hours=1), "last_tick_at": now} | changes
    assert feed(seen(now, **told), market(now), now, token_needed=token_needed) is feature


@pytest.mark.parametrize(
    ("changes", "feature"),
    [
        ({"last_frame_at": NOW - HALF_A_MINUTE}, Feature.ACTIVE),
        ({"last_frame_at": NOW - HALF_A_MINUTE - A_MOMENT}, Feature.STALE),
        ({"last_frame_at": None, "connected_at": NOW - HALF_A_MINUTE}, Feature.ACTIVE),
        ({"last_frame_at": None, "connected_at": NOW - HALF_A_MINUTE - A_MOMENT}, Feature.STALE),
        ({"last_frame_at": None, "connected_at": None}, Feature.STALE),
        ({"connected": False}, Feature.DOWN),
    ],
    ids=["half a minute", "longer", "only just connected", "connected, mute", "never heard of", "not connected"],
)
def test_the_socket_is_alive_by_its_frames(changes: dict[str, Any], feature: Feature) -> None:
    """Zerodha sends at least a heartbeat a second; before the first frame the connection itself counts."""
    assert features(seen(**changes), market(), NOW, token_needed=True)["websocket"] is feature


def test_silence_is_counted_from_what_came_last() -> None:
    """The last tick, the connection or the opening; in the closing auction only what was amiss before it."""
    early = {"last_tick_at": ist("2026-11-27 09:00"), "connected_at": ist("2026-11-27 08:00")}
    assert silence(seen(**early), market(), NOW) == timedelta(minutes=45), "the opening"
    joined = ist("2026-11-27 09:50")
    assert silence(seen(**early | {"connected_at": joined}), market(), NOW) == timedelta(minutes=10), "the connection"
    auction = ist("2026-11-27 15:20")
    assert market(auction).segments["cash_cas"].status is Status.CLOSING_AUCTION
    due = market(auction).due_end
    assert due
    for before, waited in ((HALF_A_MINUTE, None), (HALF_A_MINUTE + A_MOMENT, HALF_A_MINUTE + A_MOMENT)):
        told = early | {"heartbeat_at": auction, "last_tick_at": due - before}
        assert silence(seen(auction, **told), market(auction), auction) == waited
    unheard = seen(auction, heartbeat_at=auction, last_tick_at=None, connected_at=None)
    assert silence(unheard, market(auction), auction) is None, "nothing to count from"
    assert silence(seen(**early, connected=False), market(), NOW) is None, "that there is no feed is another matter"


def test_the_days_last_trade_ends_what_a_login_is_good_for() -> None:
    """From 07:35 to the end of the last segment's trading; at that instant it is over."""
    first, last = ist("2026-11-27 07:35"), ist("2026-11-27 15:40")
    assert market(last).trades_until == last
    helps = [market(now).login_helps(now) for now in (first - A_MOMENT, first, last - A_MOMENT, last)]
    assert helps == [False, True, True, False]


def test_silence_was_wrong_until_shares_with_an_auction_stopped() -> None:
    """That counts from the very instant at which they do, to the end of the day's last trade."""
    stop, last = ist("2026-11-27 15:15"), ist("2026-11-27 15:40")
    due = [market(now).ticks_due_until(now) for now in (stop - A_MOMENT, stop, last - A_MOMENT, last)]
    assert due == [stop - A_MOMENT, stop, stop, None]


def test_saturday_and_sunday_are_the_weekend() -> None:
    """In India: there it is Saturday while it is Friday evening in London, and Monday while it is Sunday there."""
    days = ("27 23:59", "28 00:00", "29 23:59", "30 00:00")
    assert [market(ist(f"2026-11-{day}")).is_weekend for day in days] == [False, True, True, False]
