"""Which message a moment calls for: token x clock x day, as a table."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from kite_relay.adapters.calendar import load_calendar
from kite_relay.domain.gauges import measure
from kite_relay.domain.market import Calendar
from kite_relay.domain.market_overrides import Override
from kite_relay.domain.nudge import Message, QuietHours, due
from kite_relay.domain.records import Heartbeat
from kite_relay.domain.status_token import TokenStatus, TokenView
from kite_relay.domain.token import IST

LINK = "https://kite.example.com/login"
ORDINARY, HOLIDAY, SUNDAY, BUDGET, MUHURAT_2025, MUHURAT_2026, BEYOND = (
    "2026-11-25", "2026-11-24", "2026-11-22", "2026-02-01", "2025-10-21", "2026-11-08", "2027-01-04",
)  # fmt: skip
GOOD = TokenView(TokenStatus.VALID, 7)


def messages(
    day: str, clock: str, token: TokenView, timeline: Any = (), calendar: Calendar | None = None
) -> list[Message]:
    """Ask what is due."""
    now = datetime.fromisoformat(f"{day}T{clock}+05:30").astimezone(UTC)
    return list(due(now, calendar or load_calendar(), token, timeline, LINK))


BAD = [TokenStatus.MISSING, TokenStatus.EXPIRED, TokenStatus.REJECTED, TokenStatus.SUSPECT]


@pytest.mark.parametrize("status", BAD)
@pytest.mark.parametrize(
    ("day", "clock", "slot"),
    [
        (ORDINARY, "07:59:59", None),
        (ORDINARY, "08:00", "08:00"),
        (ORDINARY, "08:44:59", "08:00"),
        (ORDINARY, "08:45", "08:45"),
        (ORDINARY, "09:05", "09:05"),
        (ORDINARY, "09:14:59", "09:05"),
        (ORDINARY, "09:15", "open"),
        (ORDINARY, "15:39:59", "open"),  # derivatives trade to 15:40
        (ORDINARY, "15:40", None),
        (ORDINARY, "20:00", None),
        (HOLIDAY, "08:00", None),
        (HOLIDAY, "09:15", None),
        (SUNDAY, "08:45", None),
        (BUDGET, "08:00", "08:00"),
        (BUDGET, "09:15", "open"),
        (MUHURAT_2025, "08:00", "08:00"),
        (MUHURAT_2025, "13:44", "09:05"),
        (MUHURAT_2025, "13:45", "open"),
        (MUHURAT_2025, "14:45", None),
        (MUHURAT_2026, "08:00", "08:00"),  # there is a session, at hours that nobody knows
        (MUHURAT_2026, "18:30", "09:05"),
        (BEYOND, "08:00", "08:00"),  # the calendar has run out: a weekday may be a session
        ("2027-01-03", "08:00", None),
    ],
)
def test_when_a_missing_login_is_told(status: TokenStatus, day: str, clock: str, slot: str | None) -> None:
    """One message per slot, on days with a session only, until trading ends."""
    found = messages(day, clock, TokenView(status))
    assert [it.key for it in found] == ([f"{day}#{slot}"] if slot else [])
    assert all(it.body.count("https://") == 1 and it.body.endswith(LINK) for it in found)


@pytest.mark.parametrize("clock", ["08:00", "08:45", "09:05", "09:15", "12:00"])
def test_a_good_token_is_not_reminded_of(clock: str) -> None:
    """Neither does it say that it is live before a tick came."""
    assert messages(ORDINARY, clock, GOOD) == []


@pytest.mark.parametrize(
    ("status", "day", "clock", "words"),
    [
        (TokenStatus.MISSING, ORDINARY, "08:00", "There is no token. Trading begins at 09:15."),
        (TokenStatus.EXPIRED, ORDINARY, "08:45", "Yesterday's token has expired. Trading begins at 09:15."),
        (TokenStatus.REJECTED, ORDINARY, "09:15", "Zerodha rejects the token. Trading began at 09:15."),
        (TokenStatus.SUSPECT, MUHURAT_2025, "08:00", "Muhurat trading (Diwali): trading begins at 13:45."),
        (
            TokenStatus.MISSING,
            MUHURAT_2026,
            "08:00",
            "Muhurat trading (Diwali) is today; its hours are not known here.",
        ),
        (TokenStatus.MISSING, BEYOND, "08:00", "The market calendar has run out, so there may be a session today."),
    ],
)
def test_the_words_say_why_and_by_when(status: TokenStatus, day: str, clock: str, words: str) -> None:
    """A person reads it on a lock screen: reason, hour, one link."""
    (message,) = messages(day, clock, TokenView(status))
    assert words in message.body


def tick(at: str = "2026-11-25T08:47:10+05:30", generation: int = 7) -> dict[str, Any]:
    """Give the timeline's entry of a first tick."""
    return {"at": at, "what": "first_tick", "generation": generation}


def test_the_good_news_comes_after_the_first_tick_on_the_new_token() -> None:
    """Not after the login, not after a tick on an older token; and says since when."""
    login = {"at": "2026-11-25T08:46:58+05:30", "what": "login", "generation": 7}
    assert messages(ORDINARY, "08:47", GOOD, [login, tick(generation=6)]) == []
    (message,) = messages(
        ORDINARY, "08:48", GOOD, [login, tick("2026-11-25T03:17:10+00:00"), tick("2026-11-25T09:00:00+05:30")]
    )
    assert (message.key, message.title) == (f"{ORDINARY}#live", "Live since 08:47")
    assert "First tick received" in message.body


@pytest.mark.parametrize("entry", [tick(at="today"), tick(at=""), {"what": "first_tick", "generation": 7}, {}])
def test_an_entry_that_cannot_be_read_is_no_tick(entry: dict[str, Any]) -> None:
    """The other side may be of another version."""
    assert messages(ORDINARY, "08:48", GOOD, [entry]) == []


def test_no_good_news_on_a_holiday_or_for_a_token_that_died_since() -> None:
    """Kite sends kept ticks at night and on holidays too: they prove nothing."""
    holiday_tick = tick("2026-11-24T10:00:00+05:30")
    assert messages(HOLIDAY, "10:01", GOOD, [holiday_tick]) == []
    (message,) = messages(ORDINARY, "10:01", TokenView(TokenStatus.REJECTED, 7), [tick()])
    assert message.key == f"{ORDINARY}#open"


def test_a_closure_declared_tonight_silences_the_morning() -> None:
    """Overrides count here too."""
    closed = Override(date(2026, 11, 25), False, "Election", "ad_hoc", False, None, "me", datetime.now(UTC))  # noqa: FBT003 - a row
    calendar = load_calendar().with_overrides({closed.date: closed})
    assert messages(ORDINARY, "08:00", TokenView(TokenStatus.MISSING), calendar=calendar) == []


@pytest.mark.parametrize(
    ("hours", "clock", "held"),
    [
        ("22:00-07:00", "21:59", False),
        ("22:00-07:00", "22:00", True),
        ("22:00-07:00", "06:59", True),
        ("22:00-07:00", "07:00", False),
        ("12:00-13:00", "12:30", True),
        ("12:00-13:00", "13:00", False),
        ("00:00-00:00", "00:00", False),
    ],
)
def test_quiet_hours(hours: str, clock: str, *, held: bool) -> None:
    """[start, end), over midnight too; equal ends mean none."""
    now = datetime.combine(date(2026, 11, 25), time.fromisoformat(clock), IST).astimezone(UTC)
    assert QuietHours.parse(hours).hold(now) is held


@pytest.mark.parametrize("text", ["", "22:00", "22-7-1", "ten to six", "22:00-25:00"])
def test_quiet_hours_that_are_none_say_how_to_write_them(text: str) -> None:
    """It is a setting: the words lead to the mend."""
    with pytest.raises(ValueError, match="22:00-07:00"):
        QuietHours.parse(text)


def beat(now: datetime, seconds: float) -> Heartbeat:
    """Give a heartbeat of some seconds ago."""
    return Heartbeat(heartbeat_at=now - timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("day", "clock", "age", "missing", "needed"),
    [
        (ORDINARY, "08:59", 500, 0, 0),
        (ORDINARY, "09:00", 500, 1, 1),
        (ORDINARY, "09:00", 119, 0, 1),
        (ORDINARY, "09:00", 121, 1, 1),
        (ORDINARY, "09:00", -60, 1, 1),  # a clock that is ahead proves nothing
        (ORDINARY, "15:39", 121, 1, 1),
        (ORDINARY, "15:45", 121, 0, 0),
        (HOLIDAY, "11:00", 500, 0, 0),
        (SUNDAY, "11:00", 500, 0, 0),
        (BUDGET, "11:00", 500, 1, 1),
        (MUHURAT_2025, "11:00", 500, 0, 1),
        (MUHURAT_2025, "13:50", 500, 1, 1),
        (MUHURAT_2026, "20:00", 500, 0, 1),
        (BEYOND, "11:00", 500, 0, 0),
    ],
)
def test_the_gauges_behind_the_alarms(day: str, clock: str, age: float, missing: int, needed: int) -> None:
    """A silent worker counts while something trades; a bad token from 09:00 to the end of trading."""
    now = datetime.fromisoformat(f"{day}T{clock}+05:30")
    gauges = measure(now, load_calendar(), TokenView(TokenStatus.EXPIRED), beat(now, age))
    assert (gauges.heartbeat_missing, gauges.token_needed) == (missing, needed)
    assert measure(now, load_calendar(), GOOD, beat(now, age)).token_needed == 0


def test_the_calendar_gauge_counts_down_and_below_zero() -> None:
    """30 is the alarm."""
    for day, left in ((ORDINARY, 36), ("2026-12-01", 30), ("2026-12-31", 0), (BEYOND, -4)):
        now = datetime.fromisoformat(f"{day}T11:00+05:30")
        assert measure(now, load_calendar(), GOOD, None).calendar_days_left == left
