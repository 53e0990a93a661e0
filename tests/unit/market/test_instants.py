"""The market's clock against a table that a trader can read."""

import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from kite_relay.adapters.calendar import load_calendar
from kite_relay.domain.market import Calendar
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


def test_an_instant_without_an_offset_and_an_unknown_segment_are_no_question() -> None:
    """Neither has an answer: a guess would be one of another hour, or of another market."""
    with pytest.raises(ValueError, match="without an offset"):
        load_calendar().phase("cash", datetime(2026, 11, 25, 9, 15))  # noqa: DTZ001 - the error in question
    with pytest.raises(ValueError, match="no such segment: 'currency'; there are cash,"):
        load_calendar().phase("currency", datetime(2026, 11, 25, 9, 15, tzinfo=IST))


def test_what_is_remembered_of_days_is_bounded() -> None:
    """A process that is asked about every day of centuries does not grow, and answers alike."""
    calendar, day = Calendar(load_calendar().data), date(2026, 11, 25)
    first = calendar.phases("cash", day)
    for number in range(5000):
        calendar.phases("cash", day + timedelta(days=number))
    assert len(calendar._days) <= 4096
    assert calendar.phases("cash", day) == first
