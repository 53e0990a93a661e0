"""What holds of the market's clock on every day, at every instant, in every segment."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kite_relay.adapters.calendar import load_calendar
from kite_relay.domain.market import SEGMENTS, CalendarEndedError, Status
from kite_relay.domain.market_overrides import Override, dump_overrides, parse_overrides
from kite_relay.domain.token import IST

CALENDAR = load_calendar()
instants = st.datetimes(datetime(2023, 12, 1), datetime(2027, 2, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
segments = st.sampled_from(SEGMENTS)
days = st.dates(date(2024, 1, 1), date(2026, 12, 31))


@given(segments, st.dates(date(2023, 12, 1), date(2027, 2, 1)))
def test_a_day_is_covered_without_gap_or_overlap(segment: str, day: date) -> None:
    """From midnight to midnight, each phase begins where the one before it ends."""
    phases = CALENDAR.phases(segment, day)
    assert phases[0].sub_since == datetime.combine(day, datetime.min.time(), IST)
    assert phases[-1].sub_until == phases[0].sub_since + timedelta(days=1)
    assert all(phase.sub_until == following.sub_since for phase, following in pairwise(phases))


@given(segments, instants)
def test_since_and_until_are_where_the_status_really_changes(segment: str, at: datetime) -> None:
    """All of [since, until) has the status; the instants outside of it have another."""
    phase = CALENDAR.phase(segment, at)
    tick = timedelta(microseconds=1)
    if phase.since:
        assert phase.since <= at
        assert CALENDAR.phase(segment, phase.since).status is phase.status
        assert CALENDAR.phase(segment, phase.since - tick).status is not phase.status
    if phase.until:
        assert at < phase.until
        assert CALENDAR.phase(segment, phase.until - tick).status is phase.status
        assert CALENDAR.phase(segment, phase.until).status is not phase.status


@given(segments, instants)
def test_following_the_changes_loses_no_time_and_ends_in_unknown(segment: str, at: datetime) -> None:
    """Each next change is later than the one before it; where nobody knows more, the status is UNKNOWN."""
    for _ in range(12):
        change = CALENDAR.next_change(segment, at)
        if change is None:
            assert CALENDAR.phase(segment, at).status is Status.UNKNOWN
            return
        assert change.at > at
        assert CALENDAR.phase(segment, change.at).status is change.status
        at = change.at


@given(days, st.integers(-15, 15))
def test_trading_day_arithmetic_goes_back_the_way_it_came(day: date, count: int) -> None:
    """Forward and back again ends on the same trading day, and counts as many days as it went."""
    try:
        start = CALENDAR.add_trading_days(day, 1)
        there = CALENDAR.add_trading_days(start, count)
    except CalendarEndedError:
        return
    assert CALENDAR.add_trading_days(there, -count) == start
    assert CALENDAR.is_trading_day(there)
    passed = (min(start, there) + timedelta(days=n) for n in range(abs((there - start).days) + 1))
    assert sum(CALENDAR.is_trading_day(one) is True for one in passed) == abs(count) + 1


entries = st.builds(
    Override,
    date=st.dates(date(2026, 11, 1), date(2027, 1, 15)),
    open=st.booleans(),
    name=st.text("abc ", min_size=1).filter(str.strip),
    kind=st.just("special"),
    normal=st.booleans(),
    sessions=st.none(),
    author=st.just("an operator"),
    at=st.just(datetime(2026, 11, 24, 12, tzinfo=UTC)),
)


@given(st.lists(entries, max_size=5, unique_by=lambda it: it.date), segments, instants)
def test_overrides_survive_the_document_and_count_for_their_day_only(
    found: list[Override], segment: str, at: datetime
) -> None:
    """Written and read back they are the same; other days answer as before."""
    overrides = {it.date: it for it in found}
    assert parse_overrides(dump_overrides(overrides)) == overrides
    day, changed = at.astimezone(IST).date(), CALENDAR.with_overrides(overrides)
    if day in overrides:
        assert changed.is_trading_day(day) is overrides[day].open
        return
    before, after = CALENDAR.phase(segment, at), changed.phase(segment, at)
    assert (before.status, before.sub_phase) == (after.status, after.sub_phase)
