"""The libraries as oracles: each one is asked about every day, and each difference is listed with its reason.

A difference that is not listed fails, and so does a listed one that went away: the list is what we know of them.
"""

import os
from datetime import date, datetime, time, timedelta
from functools import cache
from itertools import product
from typing import Any

import pytest

from kite_relay.adapters.calendar import load_calendar
from kite_relay.domain.token import IST

os.environ["AION_IN_CALENDAR_OFFLINE"] = "1"

WEEKEND_SESSIONS = {
    "2024-01-20": "the full Saturday that replaced a drill",
    "2024-03-02": "disaster-recovery drill",
    "2024-05-18": "disaster-recovery drill",
    "2025-02-01": "Union Budget on a Saturday",
    "2026-02-01": "Union Budget on a Sunday",
    "2026-11-08": "Muhurat on a Sunday",
}
"""A week mask of Monday to Friday cannot hold these; the sources of the data file can."""


def days(first: str, last: str) -> list[date]:
    """List every date from one to another, both included."""
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]


def differences(theirs: dict[date, bool]) -> set[str]:
    """List the dates on which a library and we disagree whether there is a session."""
    return {str(day) for day, trading in theirs.items() if trading is not load_calendar().is_trading_day(day)}


@cache
def nse_calendar() -> Any:
    """Give nse-trading-calendar's list (an Excel sheet: it loads slowly)."""
    from nse_calendar.calendar import NSETradingCalendar  # noqa: PLC0415 - pandas, only where it is asked

    return NSETradingCalendar()


@cache
def schedule(name: str) -> Any:
    """Give the sessions of pandas_market_calendars, 2024 to 2026."""
    import pandas_market_calendars as mcal  # noqa: PLC0415 - pandas, only where it is asked

    return mcal.get_calendar(name).schedule("2024-01-01", "2026-12-31")


def test_nse_trading_calendar_agrees_but_for_one_day() -> None:
    """It has every closure and every weekend session, except the Muhurat Sunday of 2026."""
    theirs = {day: nse_calendar().get_trading_day_info(day)[0] for day in days("2024-01-01", "2026-12-31")}
    assert differences(theirs) == {"2026-11-08"}


def test_nse_trading_calendar_marks_the_short_sessions() -> None:
    """Its type 1 is a short or special session: the same days as our specials with hours of their own."""
    theirs = {str(day) for day in days("2024-01-01", "2026-12-31") if nse_calendar().get_trading_day_info(day)[1] == 1}
    specials = load_calendar().data.specials.values()
    assert theirs == {str(it.date) for it in specials if not it.normal} - {"2026-11-08"}


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("NSE", set()),
        ("BSE", {"2024-11-01", "2025-10-21"}),  # it takes Muhurat days for closures
    ],
)
def test_pandas_market_calendars_agrees_but_for_weekend_sessions(name: str, more: set[str]) -> None:
    """Every weekday closure is the same, ad hoc ones too."""
    open_days = {it.date() for it in schedule(name).index}
    theirs = {day: day in open_days for day in days("2024-01-01", "2026-12-31")}
    assert differences(theirs) == set(WEEKEND_SESSIONS) | more


@pytest.mark.parametrize("day", ["2024-11-01", "2025-10-21"])
def test_pandas_market_calendars_has_the_same_muhurat_hours(day: str) -> None:
    """Open and close to the minute."""
    row = schedule("NSE").loc[day]
    theirs = tuple(it.to_pydatetime().astimezone(IST) for it in (row.market_open, row.market_close))
    assert theirs == load_calendar().live_hours("cash", date.fromisoformat(day))


def test_aion_agrees_on_the_days_of_2026_but_for_the_budget_sunday() -> None:
    """It bundles events to 2026-12-25; up to there one day differs."""
    from aion_indian_market_calendar import is_trading_day  # noqa: PLC0415 - reads the switch above at import

    theirs = {day: is_trading_day(day, market="NSE") for day in days("2026-01-01", "2026-12-25")}
    assert differences(theirs) == {"2026-02-01"}


AION_MARKETS = {
    "cash": "NSE_EQUITY",
    "cash_cas": "NSE_EQUITY_FNO_UNDERLYING",
    "derivatives": "NSE_EQUITY_DERIVATIVES",
}
AION_DAYS = (
    "2026-01-02", "2026-06-15", "2026-07-31", "2026-08-03", "2026-09-04", "2026-09-07", "2026-11-24", "2026-12-04",
    "2026-12-07", "2026-12-24",
)  # fmt: skip
"""A day of each regime, the days on both sides of each change, and a holiday."""
AION_EXPLAINED = {
    # (segment, our status, our sub-phase, its phase): why we differ
    ("cash", "PRE_OPEN", "matching", "CONTINUOUS"): "its old pre-open ends at 09:08 and trading begins at once",
    ("cash", "PRE_OPEN", "buffer", "CONTINUOUS"): "the same",
    ("cash_cas", "PRE_OPEN", "matching", "CONTINUOUS"): "the same",
    ("cash_cas", "PRE_OPEN", "buffer", "CONTINUOUS"): "the same",
    ("derivatives", "PRE_OPEN", "order_entry", "CLOSED"): "it does not know the futures' pre-open of 2025-12-08",
    ("derivatives", "PRE_OPEN", "limit_orders_only", "CLOSED"): "the same",
    ("derivatives", "PRE_OPEN", "random_close", "CLOSED"): "the same",
    ("derivatives", "PRE_OPEN", "matching", "CLOSED"): "the same",
    ("derivatives", "PRE_OPEN", "buffer", "CLOSED"): "the same",
}


def test_aion_agrees_on_the_phases_of_2026_but_for_the_explained() -> None:
    """Every minute around the open and the close, in three segments, on a day of each regime."""
    from aion_indian_market_calendar import get_market_phase  # noqa: PLC0415 - reads the switch above at import

    words = {"CONTINUOUS": "LIVE"}
    minutes = (*range(8 * 60 + 59, 9 * 60 + 16), *range(15 * 60 + 14, 16 * 60 + 1))
    found = set()
    for day, segment, minute in product(AION_DAYS, AION_MARKETS, minutes):
        at = datetime.combine(date.fromisoformat(day), time(minute // 60, minute % 60), IST)
        ours, theirs = load_calendar().phase(segment, at), get_market_phase(at, AION_MARKETS[segment])
        if words.get(theirs, theirs) != ours.status.value:
            found.add((segment, ours.status.value, ours.sub_phase, theirs))
    assert found == set(AION_EXPLAINED)


def test_aion_guesses_the_muhurat_hours_that_we_call_unknown() -> None:
    """Its window is provisional by its own word; nobody published the hours, so none is given here."""
    from aion_indian_market_calendar import get_market_phase, muhurat_session  # noqa: PLC0415 - as above

    evening = datetime(2026, 11, 8, 18, 30, tzinfo=IST)
    assert get_market_phase(evening, "NSE") == "MUHURAT_TRADING"
    assert "provisional" in repr(muhurat_session(evening.date(), "NSE")).lower()
    assert load_calendar().phase("cash", evening).status == "UNKNOWN"


def test_aion_falls_back_to_weekdays_where_its_data_ends() -> None:
    """The trap that `valid_through` is for: past its data it calls a weekday a trading day."""
    from aion_indian_market_calendar import is_trading_day  # noqa: PLC0415 - as above

    assert is_trading_day(date(2026, 12, 28), market="NSE") is True
    assert load_calendar().is_trading_day(date(2027, 1, 4)) is None
