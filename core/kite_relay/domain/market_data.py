"""The data behind the market's clock, read strictly from `market_sessions.json`."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

from kite_relay.domain.errors import MalformedError

SEGMENTS = ("cash", "cash_cas", "derivatives", "index")
"""cash: stocks without the closing auction; cash_cas: stocks with it; derivatives: F&O; index: NIFTY and SENSEX."""
SCHEMA = "kite-relay/market-sessions/1"
DAY_SECONDS = 86_400
ONE_DAY = timedelta(days=1)
WEEKDAYS = 5
NORMAL = "normal"
"""What stands in place of sessions when a special day has an ordinary day's hours."""


class Status(StrEnum):
    """The words of the HTTP contract for a segment's state."""

    CLOSED = "CLOSED"
    PRE_OPEN = "PRE_OPEN"
    LIVE = "LIVE"
    CLOSING_AUCTION = "CLOSING_AUCTION"
    POST_CLOSE = "POST_CLOSE"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Session:
    """One interval [start, end) of a day, in seconds after midnight in India."""

    start: int
    end: int
    status: Status
    sub_phase: str


Sessions = tuple[Session, ...]


@dataclass(frozen=True, slots=True)
class Closure:
    """A weekday without a session. `kind` is holiday, or ad_hoc: declared days before."""

    date: date
    name: str
    kind: str
    source: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Special:
    """A day out of the ordinary with a session. Neither `normal` nor `sessions`: its times are not known."""

    date: date
    name: str
    kind: str
    normal: bool
    sessions: Mapping[str, Sessions] | None
    source: str
    confidence: str
    note: str | None

    @property
    def times_known(self) -> bool:
        """Whether the day's hours are known."""
        return self.normal or self.sessions is not None


@dataclass(frozen=True, slots=True)
class Regime:
    """An ordinary day's sessions in one segment, from one date to another."""

    segment: str
    effective_from: date
    valid_through: date
    sessions: Sessions
    source: str
    confidence: str
    note: str | None


@dataclass(frozen=True, slots=True)
class MarketData:
    """The data file, parsed."""

    valid_from: date
    valid_through: date
    closures: Mapping[date, Closure]
    specials: Mapping[date, Special]
    settlement_holidays: frozenset[date]
    regimes: Mapping[str, tuple[Regime, ...]]

    def covers(self, day: date) -> bool:
        """Tell whether the data reaches to a date."""
        return self.valid_from <= day <= self.valid_through

    def regime(self, segment: str, day: date) -> Regime:
        """Give the regime of a segment on a day; past the last one, the last one."""
        rows = self.regimes[segment]
        return rows[max(0, bisect_right(rows, day, key=lambda row: row.effective_from) - 1)]


def parse(document: Mapping[str, Any]) -> MarketData:
    """Read the data file.

    Raises:
        MalformedError: it breaks a rule; says which, and where.
    """
    try:
        return _parse(document)
    except MalformedError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MalformedError(f"market_sessions.json: {type(error).__name__}: {error}") from error


def _parse(document: Mapping[str, Any]) -> MarketData:
    if document["schema"] != SCHEMA:
        raise MalformedError(f"market_sessions.json: its schema is not {SCHEMA!r} but {document['schema']!r}")
    sources: Mapping[str, str] = document["sources"]

    def source(row: Mapping[str, Any]) -> str:
        names = row["source"]
        return "; ".join(sources[name] for name in ([names] if isinstance(names, str) else names))

    first, last = date.fromisoformat(document["valid_from"]), date.fromisoformat(document["valid_through"])
    closures = [
        Closure(date.fromisoformat(row["date"]), row["name"], row["kind"], source(row), row["confidence"])
        for row in document["closures"]
    ]
    specials = [
        Special(
            date.fromisoformat(row["date"]), row["name"], row["kind"], row["sessions"] == NORMAL,
            parse_sessions(row["sessions"], row["date"]), source(row), row["confidence"], row.get("note"),
        )
        for row in document["special_sessions"]
    ]  # fmt: skip
    regimes = {
        segment: tuple(
            Regime(
                segment, date.fromisoformat(row["effective_from"]), date.fromisoformat(row["valid_through"]),
                parse_intervals(row["sessions"], f"{segment} from {row['effective_from']}"),
                source(row), row["confidence"], row.get("note"),
            )
            for row in document["regimes"] if row["segment"] == segment
        )
        for segment in SEGMENTS
    }  # fmt: skip
    days = [row.date for row in closures] + [row.date for row in specials]
    if len(days) != len(set(days)):
        raise MalformedError("market_sessions.json: a date stands twice among closures and special sessions")
    if outside := [day for day in days if not first <= day <= last]:
        raise MalformedError(f"market_sessions.json: {outside[0]} is outside of {first} to {last}")
    for segment, rows in regimes.items():
        _check_regimes(segment, rows, first, last)
    return MarketData(
        first,
        last,
        {row.date: row for row in closures},
        {row.date: row for row in specials},
        frozenset(date.fromisoformat(row["date"]) for row in document["settlement_holidays"]),
        regimes,
    )


def _check_regimes(segment: str, rows: Sequence[Regime], first: date, last: date) -> None:
    """Hold a segment's regimes to following each other without gap or overlap, over all that the data covers."""
    if not rows or rows[0].effective_from != first or rows[-1].valid_through != last:
        raise MalformedError(f"market_sessions.json: the regimes of {segment} do not span {first} to {last}")
    for row, following in pairwise(rows):
        if row.valid_through + ONE_DAY != following.effective_from:
            raise MalformedError(
                f"market_sessions.json: {segment}: a regime ends on {row.valid_through}, "
                f"the next one begins on {following.effective_from}"
            )


def parse_sessions(value: Any, where: str) -> dict[str, Sessions] | None:
    """Read a special day's sessions: one list per segment, or nothing when it is 'normal' or null (not known)."""
    if value is None or value == NORMAL:
        return None
    if set(value) != set(SEGMENTS):
        raise MalformedError(f"{where}: sessions must name exactly {', '.join(SEGMENTS)}")
    return {segment: parse_intervals(value[segment], f"{where}, {segment}") for segment in SEGMENTS}


def parse_intervals(lines: Sequence[str], where: str) -> Sessions:
    """Read lines like '09:15-15:30 LIVE continuous': in order, none overlapping.

    Raises:
        MalformedError: a line has another form, or begins before the one above it ends.
    """
    sessions = tuple(_interval(line, where) for line in lines)
    for session, following in pairwise(sessions):
        if following.start < session.end:
            raise MalformedError(f"{where}: a session begins before the one above it ends")
    return sessions


def _interval(line: str, where: str) -> Session:
    try:
        span, status, sub_phase = line.split(" ")
        start, end = (_seconds(clock) for clock in span.split("-"))
        session = Session(start, end, Status(status), sub_phase)
    except (AttributeError, ValueError) as error:
        raise MalformedError(f"{where}: {line!r} is not like '09:15-15:30 LIVE continuous'") from error
    if start >= end:
        raise MalformedError(f"{where}: {line!r} ends before it begins")
    return session


def _seconds(clock: str) -> int:
    """Read HH:MM; 24:00 is the end of the day."""
    if clock == "24:00":
        return DAY_SECONDS
    moment = datetime.strptime(clock, "%H:%M")  # noqa: DTZ007 - a time of day in India, not an instant
    return moment.hour * 3600 + moment.minute * 60
