"""`make bench NAME=market`: what one question to the market's clock costs, and what the libraries take for theirs.

Single-threaded, the best of several rounds: the least disturbed one is nearest to the code's own cost.
"""

import json
import os
import platform
import timeit
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from itertools import cycle
from typing import Any

from kite_relay.adapters.calendar import load_calendar
from kite_relay.domain.market import Calendar
from kite_relay.domain.market_data import parse
from kite_relay.domain.market_report import describe_day
from kite_relay.domain.token import IST

GOAL_MICROSECONDS = 5.0
ROUNDS = 7
DAYS = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]


def microseconds(question: Callable[[], Any], number: int, rounds: int = ROUNDS) -> float:
    """Measure one question; the best round's mean."""
    return min(timeit.repeat(question, number=number, repeat=rounds)) / number * 1e6


def ours() -> dict[str, float]:
    """Measure our own clock."""
    calendar, text = load_calendar(), files("kite_relay.domain").joinpath("market_sessions.json").read_text("utf-8")
    instants = cycle([datetime(2026, 11, 25, tzinfo=UTC) + timedelta(minutes=17 * n) for n in range(500)])
    days = cycle(DAYS)
    cold = Calendar(calendar.data)

    def compile_day() -> object:
        cold._days.clear()  # noqa: SLF001 - the cost of a day that was never asked for
        return cold.phases("cash_cas", next(days))

    return {
        "phase": microseconds(lambda: calendar.phase("cash_cas", next(instants)), 50_000),
        "next_change": microseconds(lambda: calendar.next_change("cash_cas", next(instants)), 20_000),
        "schedule_first": microseconds(compile_day, 2_000),
        "schedule_again": microseconds(lambda: calendar.phases("cash_cas", DAYS[3]), 20_000),
        "report_of_a_day": microseconds(lambda: describe_day(calendar, DAYS[3]), 500),
        "load_the_data": microseconds(lambda: Calendar(parse(json.loads(text))), 50),
    }


def theirs() -> dict[str, float]:
    """Measure the only library that knows phases, on a warm day."""
    os.environ["AION_IN_CALENDAR_OFFLINE"] = "1"
    from aion_indian_market_calendar import get_market_phase  # noqa: PLC0415 - reads the switch above at import

    at = datetime(2026, 11, 25, 11, tzinfo=IST)
    return {"aion 1.6.0: phase": microseconds(lambda: get_market_phase(at, "NSE_EQUITY_FNO_UNDERLYING"), 200, 3)}


def main() -> None:
    """Print the table, then one line of JSON."""
    found = ours() | theirs()
    for name, cost in found.items():
        print(f"{name:<20} {cost:>10.2f} us")
    met = found["phase"] <= GOAL_MICROSECONDS
    print(f"goal: a phase in {GOAL_MICROSECONDS:.0f} us or less: {'met' if met else 'MISSED'}")
    machine = {"python": platform.python_version(), "cpus": os.cpu_count()}
    print(json.dumps({"bench": "market", "microseconds": {k: round(v, 3) for k, v in found.items()}, **machine}))


if __name__ == "__main__":
    main()
