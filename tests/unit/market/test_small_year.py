# ruff: noqa: FBT003 - rows of tables
"""A calendar of one fortnight, small enough to say all that must become of its file."""

import copy
from datetime import UTC, date, datetime
from typing import Any

import pytest

from kite_relay.domain.errors import MalformedError
from kite_relay.domain.market import Calendar
from kite_relay.domain.market_data import (
    SCHEMA,
    SEGMENTS,
    Closure,
    MarketData,
    Regime,
    Session,
    Special,
    Status,
    parse,
)
from kite_relay.domain.market_days import Day, know
from kite_relay.domain.market_overrides import Override
from kite_relay.domain.token import IST

FIRST, LAST = date(2030, 1, 7), date(2030, 1, 20)
EVENING = {segment: ["18:15-19:45 LIVE continuous"] for segment in SEGMENTS}


def row(segment: str, first: date, last: date, hours: str, source: Any = "list", **more: str) -> dict[str, Any]:
    """Write a regime: an ordinary day is one session."""
    span = {"segment": segment, "effective_from": first.isoformat(), "valid_through": last.isoformat()}
    return {**span, "sessions": [f"{hours} LIVE continuous"], "source": source, "confidence": "single", **more}


DOCUMENT: dict[str, Any] = {
    "schema": SCHEMA,
    "valid_from": FIRST.isoformat(),
    "valid_through": LAST.isoformat(),
    "sources": {"list": "the list", "tape": "the tape"},
    "closures": [
        {"date": "2030-01-07", "name": "Pongal", "kind": "holiday", "source": ["list", "tape"], "confidence": "sure"}
    ],
    "special_sessions": [
        {"date": "2030-01-12", "name": "Drill", "kind": "drill", "sessions": "normal", "source": "list",
         "confidence": "a"},
        {"date": "2030-01-13", "name": "Muhurat", "kind": "muhurat", "sessions": EVENING, "source": "tape",
         "confidence": "b", "note": "the tape's hours"},
        {"date": "2030-01-20", "name": "Budget", "kind": "budget", "sessions": None, "source": "list",
         "confidence": "c"},
    ],
    "settlement_holidays": [{"date": "2030-01-09"}],
    "regimes": [
        row("cash", FIRST, date(2030, 1, 10), "09:15-15:30", note="the old hours"),
        row("cash", date(2030, 1, 11), LAST, "10:01-24:00", "tape"),
        *(row(segment, FIRST, LAST, "09:00-15:00", ["tape"]) for segment in SEGMENTS if segment != "cash"),
    ],
}  # fmt: skip


@pytest.fixture
def document() -> dict[str, Any]:
    """Give a fresh copy."""
    return copy.deepcopy(DOCUMENT)


def live(start: int, end: int) -> tuple[Session, ...]:
    """Give one session."""
    return (Session(start, end, Status.LIVE, "continuous"),)


def test_all_of_the_file_is_read(document: dict[str, Any]) -> None:
    """Every field of every row; a source's short name becomes its words."""
    other = {
        segment: (Regime(segment, FIRST, LAST, live(9 * 3600, 15 * 3600), "the tape", "single", None),)
        for segment in SEGMENTS
    }
    cash = (
        Regime("cash", FIRST, date(2030, 1, 10), live(33_300, 55_800), "the list", "single", "the old hours"),
        Regime("cash", date(2030, 1, 11), LAST, live(36_060, 86_400), "the tape", "single", None),
    )
    evening = dict.fromkeys(SEGMENTS, live(65_700, 71_100))
    specials = [
        Special(date(2030, 1, 12), "Drill", "drill", True, None, "the list", "a", None),
        Special(date(2030, 1, 13), "Muhurat", "muhurat", False, evening, "the tape", "b", "the tape's hours"),
        Special(date(2030, 1, 20), "Budget", "budget", False, None, "the list", "c", None),
    ]
    assert parse(document) == MarketData(
        FIRST,
        LAST,
        {FIRST: Closure(FIRST, "Pongal", "holiday", "the list; the tape", "sure")},
        {special.date: special for special in specials},
        frozenset({date(2030, 1, 9)}),
        other | {"cash": cash},
    )


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ({"schema": "other/2"}, f"its schema is not '{SCHEMA}' but 'other/2'"),
        ({"closures": [*DOCUMENT["closures"]] * 2}, "a date stands twice among closures and special sessions"),
        ({"valid_from": "2030-01-08"}, "2030-01-07 is outside of 2030-01-08 to 2030-01-20"),
        ({"valid_through": "2030-01-19"}, "2030-01-20 is outside of 2030-01-07 to 2030-01-19"),
        ({"regimes": DOCUMENT["regimes"][1:]}, "the regimes of cash do not span 2030-01-07 to 2030-01-20"),
        ({"regimes": DOCUMENT["regimes"][:1]}, "the regimes of cash do not span 2030-01-07 to 2030-01-20"),
        ({"regimes": DOCUMENT["regimes"][2:]}, "the regimes of cash do not span 2030-01-07 to 2030-01-20"),
        ({"regimes": [row("cash", FIRST, date(2030, 1, 9), "09:15-15:30"), *DOCUMENT["regimes"][1:]]},
         "cash: a regime ends on 2030-01-09, the next one begins on 2030-01-11"),
    ],
)  # fmt: skip
def test_a_broken_file_is_named(damage: dict[str, Any], words: str, document: dict[str, Any]) -> None:
    """In words that lead to the row."""
    with pytest.raises(MalformedError) as caught:
        parse(document | damage)
    assert str(caught.value) == f"market_sessions.json: {words}"


@pytest.mark.parametrize(
    ("sessions", "words"),
    [
        ({"cash": []}, f"2030-01-13: sessions must name exactly {', '.join(SEGMENTS)}"),
        (EVENING | {"cash": ["18:15-18:15 LIVE continuous"]},
         "2030-01-13, cash: '18:15-18:15 LIVE continuous' ends before it begins"),
        (EVENING | {"cash": ["18:15-19:15  LIVE continuous"]},
         "2030-01-13, cash: '18:15-19:15  LIVE continuous' is not like '09:15-15:30 LIVE continuous'"),
        (EVENING | {"index": ["18:15-19:15 LIVE continuous", "19:14-19:30 POST_CLOSE late"]},
         "2030-01-13, index: a session begins before the one above it ends"),
    ],
)  # fmt: skip
def test_a_broken_session_is_named(sessions: Any, words: str, document: dict[str, Any]) -> None:
    """With its day and its segment."""
    document["special_sessions"][1]["sessions"] = sessions
    with pytest.raises(MalformedError) as caught:
        parse(document)
    assert str(caught.value) == words


def test_a_broken_regime_is_named(document: dict[str, Any]) -> None:
    """With its segment and its first day."""
    document["regimes"][1]["sessions"] = ["10:00"]
    with pytest.raises(MalformedError, match=r"^cash from 2030-01-11: '10:00' is not like"):
        parse(document)


DECLARED = datetime(2030, 1, 6, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "day",
    [
        Day(date(2030, 1, 6), None, "unknown", "the market calendar covers 2030-01-07 to 2030-01-20 only", "none",
            "none"),
        Day(FIRST, False, "holiday", "Pongal", "the list; the tape", "sure", holiday="Pongal"),
        Day(date(2030, 1, 8), True, "normal", "an ordinary trading day", "the tape", "single"),
        Day(date(2030, 1, 12), True, "drill", "Drill", "the list", "a", special="Drill"),
        Day(date(2030, 1, 13), True, "muhurat", "Muhurat", "the tape", "b", special="Muhurat", note="the tape's hours"),
        Day(date(2030, 1, 19), False, "weekend", "Saturday",
            "no session on Saturday and Sunday, unless one is declared", "two_or_more"),
        Day(date(2030, 1, 20), True, "budget", "Budget: its times are not known", "the list", "c", special="Budget",
            times_known=False),
    ],
    ids=lambda day: day.kind,
)  # fmt: skip
def test_what_is_known_of_a_day(day: Day, document: dict[str, Any]) -> None:
    """Every kind of day, all of it."""
    assert know(parse(document), None, day.date) == day


@pytest.mark.parametrize(
    ("open_", "normal", "reason", "holiday", "special", "known"),
    [
        (False, False, "Election", "Election", None, True),
        (True, True, "Election", None, "Election", True),
        (True, False, "Election: its times are not known", None, "Election", False),
    ],
)
def test_what_is_declared_wins(
    open_: bool,
    normal: bool,
    reason: str,
    holiday: str | None,
    special: str | None,
    known: bool,
    document: dict[str, Any],
) -> None:
    """With its author, over whatever the file says."""
    override = Override(FIRST, open_, "Election", "ad_hoc", normal, None, "me", DECLARED)
    assert know(parse(document), override, FIRST) == Day(
        FIRST, open_, "ad_hoc", reason, "declared by me at 2030-01-06T12:00:00+00:00", "declared",
        holiday=holiday, special=special, times_known=known, override=override,
    )  # fmt: skip


def test_a_segments_hours_rest_on_its_own_regime(document: dict[str, Any]) -> None:
    """On an ordinary day; on any other on what is known of the day."""
    calendar = Calendar(parse(document))
    old, new = calendar.backing("cash", date(2030, 1, 8)), calendar.backing("cash", date(2030, 1, 14))
    assert (old.source, old.note, new.source, new.note) == ("the list", "the old hours", "the tape", None)
    assert calendar.backing("cash", FIRST) == calendar.day(FIRST)
    assert calendar.phase("cash", datetime(2030, 1, 8, 12, tzinfo=IST)).confidence == "single"
    assert calendar.phase("cash", datetime(2030, 1, 7, 12, tzinfo=IST)).confidence == "sure"
