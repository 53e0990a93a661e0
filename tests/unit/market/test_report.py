"""What a person and a program are shown of a day, and of now."""

import itertools
from datetime import date, datetime

import pytest

from kite_relay.adapters.calendar import load_calendar
from kite_relay.domain.market import Calendar
from kite_relay.domain.market_overrides import parse_overrides
from kite_relay.domain.market_report import describe_day, describe_now, describe_segment
from kite_relay.domain.token import IST

CLOSURE = """{"overrides": [{"date": "2026-12-01", "open": false, "name": "Election", "kind": "ad_hoc",
              "sessions": null, "author": "an operator", "at": "2026-11-30T14:30:00+00:00"}]}"""


@pytest.fixture
def calendar() -> Calendar:
    """Give the real data, with one day declared."""
    return load_calendar().with_overrides(parse_overrides(CLOSURE))


def test_an_ordinary_day(calendar: Calendar) -> None:
    """Every part of the answer, once."""
    day = describe_day(calendar, date(2026, 11, 27), ["cash"])
    segment = day.pop("segments")["cash"]
    assert day.pop("source")
    assert day == {
        "date": "2026-11-27", "weekday": "Friday", "is_trading_day": True, "reason": "an ordinary trading day",
        "kind": "normal", "holiday": None, "special": None, "settlement_holiday": False,
        "previous_trading_day": "2026-11-26", "next_trading_day": "2026-11-30", "confidence": "two_or_more",
        "override": None, "valid_through": "2026-12-31", "timezone": "Asia/Kolkata (UTC+05:30)",
    }  # fmt: skip
    regime = calendar.data.regime("cash", date(2026, 11, 27))
    assert (segment["opens"], segment["closes"]) == ("09:15", "15:30")
    backing = {"source": regime.source, "confidence": regime.confidence, "note": regime.note}
    assert segment.keys() == {"opens", "closes", "sessions", *backing}
    assert backing.items() <= segment.items()
    shown = [(it["start"], it["end"], it["status"], it["sub_phase"]) for it in segment["sessions"]]
    assert shown[0] == ("00:00", "09:00", "CLOSED", "before_open")
    assert ("09:15", "15:30", "LIVE", "continuous") in shown
    assert shown[-1] == ("16:00", "24:00", "CLOSED", "after_close")
    assert all(before[1] == after[0] for before, after in itertools.pairwise(shown))
    assert {it["sub_phase"] for it in segment["sessions"] if it["window"]} == {"random_close"}


def test_a_closed_day_has_no_hours(calendar: Calendar) -> None:
    """All of it one phase, and the reason is a name."""
    day = describe_day(calendar, date(2026, 11, 24))
    assert (day["is_trading_day"], day["reason"], day["kind"]) == (False, day["holiday"], "holiday")
    assert set(day["segments"]) == {"cash", "cash_cas", "derivatives", "index"}
    for segment in day["segments"].values():
        assert (segment["opens"], segment["closes"]) == (None, None)
        assert [(it["start"], it["end"], it["status"]) for it in segment["sessions"]] == [("00:00", "24:00", "CLOSED")]


def test_a_special_session_says_what_it_is_and_whether_its_hours_are_known(calendar: Calendar) -> None:
    """Muhurat on a Sunday: a session, whose times nobody published yet."""
    special = describe_day(calendar, date(2026, 11, 8), ["cash"])["special"]
    facts = calendar.day(date(2026, 11, 8))
    assert special == {"name": facts.special, "kind": "muhurat", "times_known": False, "note": facts.note}
    assert facts.special
    assert facts.note
    assert describe_segment(calendar, "cash", date(2024, 11, 1))["opens"] == "18:00"


def test_a_declared_day_names_its_author_and_when(calendar: Calendar) -> None:
    """In Indian time, wherever it was declared."""
    day = describe_day(calendar, date(2026, 12, 1), ["cash"])
    assert day["override"] == {"author": "an operator", "at": "2026-11-30T20:00:00+05:30"}
    assert (day["is_trading_day"], day["holiday"], day["confidence"]) == (False, "Election", "declared")


def test_no_neighbour_is_made_up_past_the_data(calendar: Calendar) -> None:
    """The last day has none after it that anybody knows."""
    day = describe_day(calendar, date(2026, 12, 31), ["cash"])
    assert (day["previous_trading_day"], day["next_trading_day"]) == ("2026-12-30", None)
    beyond = describe_day(calendar, date(2027, 3, 1), ["cash"])
    assert (beyond["is_trading_day"], beyond["kind"], beyond["next_trading_day"]) == (None, "unknown", None)


def test_now_tells_each_segments_phase_and_its_next_change(calendar: Calendar) -> None:
    """Since when, until when, and what comes then."""
    now = describe_now(calendar, datetime(2026, 11, 27, 10, tzinfo=IST), ["cash"])
    assert now == {
        "cash": {
            "status": "LIVE", "since": "2026-11-27T09:15:00+05:30", "until": "2026-11-27T15:30:00+05:30",
            "sub_phase": "continuous", "sub_phase_until": "2026-11-27T15:30:00+05:30",
            "kind": "normal", "confidence": "two_or_more",
            "next_change": {"at": "2026-11-27T15:30:00+05:30", "status": now["cash"]["next_change"]["status"]},
        }
    }  # fmt: skip


def test_past_the_data_nothing_is_made_up(calendar: Calendar) -> None:
    """Unknown, for nobody knows how long."""
    cash = describe_now(calendar, datetime(2027, 3, 1, 10, tzinfo=IST))["cash"]
    assert (cash["status"], cash["until"], cash["next_change"]) == ("UNKNOWN", None, None)
    assert cash["since"] == "2027-01-01T00:00:00+05:30"
    before = describe_now(calendar, datetime(2020, 3, 1, 10, tzinfo=IST))["cash"]
    assert (before["status"], before["since"], before["until"]) == ("UNKNOWN", None, "2024-01-01T00:00:00+05:30")
