"""The market's clock against a table that a trader can read."""

import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from kite_relay.adapters.calendar import load_calendar
from kite_relay.domain import market
from kite_relay.domain.market import Calendar, CalendarEndedError
from kite_relay.domain.token import IST

TABLE = Path(__file__).with_name("instants.txt")
Row = tuple[datetime, str, str, str]


def rows() -> list[Row]:
    """Read the table."""
    lines = [line for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    return [(datetime.fromisoformat(at).replace(tzinfo=IST), *rest) for at, *rest, _ in cells]  # type: ignore[misc]


def test_the_table_is_as_long_as_promised() -> None:
    """At least 120 instants, none of them twice."""
    table = rows()
    assert len(table) >= 120
    assert len({row[:2] for row in table}) == len(table)


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]:%Y-%m-%d_%H:%M:%S}-{row[1]}")
def test_an_instant(row: Row) -> None:
    """The phase is the labelled one, in whatever time zone the same instant is written."""
    at, segment, status, sub_phase = row
    for zone in (IST, ZoneInfo("UTC"), ZoneInfo("America/New_York")):
        phase = load_calendar().phase(segment, at.astimezone(zone))
        assert (phase.status.value, phase.sub_phase) == (status, sub_phase)
    phase = load_calendar().phase(segment, at)
    assert phase.sub_since <= at < phase.sub_until
    assert phase.since is None or phase.since <= phase.sub_since
    assert phase.until is None or phase.until >= phase.sub_until


def test_a_last_microsecond_still_belongs_to_its_interval() -> None:
    """Intervals are [start, end), down to the microsecond."""
    bell = datetime(2026, 11, 25, 9, 15, tzinfo=IST)
    assert load_calendar().phase("cash", bell - timedelta(microseconds=1)).status == "PRE_OPEN"
    assert load_calendar().phase("cash", bell).status == "LIVE"


@pytest.mark.promise(16)
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_the_table_holds_in_any_host_time_zone(
    zone: str, monkeypatch: pytest.MonkeyPatch, measured: Callable[[str, object], None]
) -> None:
    """The clock reads the instant, never the machine's own idea of time."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        calendar = Calendar(load_calendar().data)
        for at, segment, status, sub_phase in rows():
            local = at.astimezone()
            phase = calendar.phase(segment, local)
            assert (phase.status.value, phase.sub_phase) == (status, sub_phase), (at, segment)
        measured(f"labelled instants right on a host in {zone}", len(rows()))
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_status_lasts_over_its_parts_and_over_days() -> None:
    """What changes within it, midnight and a weekend do not end it; each part has its own begin and end."""
    told = [
        f"{phase.status} {phase.sub_phase} {phase.since:%d %H:%M} {phase.until:%d %H:%M} {phase.sub_since:%H:%M}"
        for phase in load_calendar().phases("cash_cas", date(2026, 11, 27))
    ]
    assert told == [
        "CLOSED before_open 26 16:00 27 09:00 00:00",
        "PRE_OPEN order_entry 27 09:00 27 09:15 09:00",
        "PRE_OPEN limit_orders_only 27 09:00 27 09:15 09:05",
        "PRE_OPEN random_close 27 09:00 27 09:15 09:08",
        "PRE_OPEN matching 27 09:00 27 09:15 09:10",
        "PRE_OPEN buffer 27 09:00 27 09:15 09:12",
        "LIVE continuous 27 09:15 27 15:15 09:15",
        "CLOSING_AUCTION reference_price 27 15:15 27 15:35 15:15",
        "CLOSING_AUCTION order_entry 27 15:15 27 15:35 15:20",
        "CLOSING_AUCTION limit_orders_only 27 15:15 27 15:35 15:25",
        "CLOSING_AUCTION random_close 27 15:15 27 15:35 15:28",
        "CLOSING_AUCTION matching 27 15:15 27 15:35 15:30",
        "CLOSED between 27 15:35 27 15:50 15:35",
        "POST_CLOSE closing_price_orders 27 15:50 27 16:00 15:50",
        "CLOSED after_close 27 16:00 30 09:00 16:00",
    ]
    saturday = load_calendar().phase("cash_cas", datetime(2026, 11, 28, 12, tzinfo=IST))
    assert f"{saturday.since:%d %H:%M} {saturday.until:%d %H:%M}" == "27 16:00 30 09:00"


def test_days_past_the_data_are_not_counted() -> None:
    """The error names the day, what the calendar spans, and where to add what is missing."""
    with pytest.raises(
        CalendarEndedError, match=r"^2027-01-01 is outside .* to 2026-12-31\): add .*market_sessions.json"
    ):
        load_calendar().add_trading_days(date(2026, 12, 31), 1)


def test_an_instant_without_an_offset_and_an_unknown_segment_are_no_question() -> None:
    """Neither has an answer: a guess would be one of another hour, or of another market."""
    with pytest.raises(ValueError, match="without an offset"):
        load_calendar().phase("cash", datetime(2026, 11, 25, 9, 15))  # noqa: DTZ001 - the error in question
    with pytest.raises(ValueError, match="no such segment: 'currency'; there are cash,"):
        load_calendar().phase("currency", datetime(2026, 11, 25, 9, 15, tzinfo=IST))


def test_what_is_remembered_of_days_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is asked about every day of centuries does not grow, and answers alike."""
    monkeypatch.setattr(market, "_MAX_CACHED_DAYS", 3)
    calendar, day = Calendar(load_calendar().data), date(2026, 11, 25)
    first = calendar.phases("cash", day)
    for number in range(1, 8):
        calendar.phases("cash", day + timedelta(days=number))
        assert len(calendar._days) == 1 + number % 3
    assert calendar.phases("cash", day) == first
