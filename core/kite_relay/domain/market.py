"""The market's clock: (segment, instant) -> phase, from dated data. Beyond the data: UNKNOWN, never a guess.

Every interval is [start, end) in Indian time (UTC+05:30, no daylight saving). "Is the market open?" has no single
answer: since the closing auction began, cash, cash with auction, derivatives and indices close at different minutes.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise

from kite_relay.domain.errors import NeedsHumanError
from kite_relay.domain.market_data import DAY_SECONDS, ONE_DAY, SEGMENTS, MarketData, Regime, Session, Status
from kite_relay.domain.market_days import Day, know
from kite_relay.domain.market_overrides import Override
from kite_relay.domain.token import IST

__all__ = ["SEGMENTS", "Calendar", "CalendarEndedError", "Change", "Day", "Phase", "Status"]

_EPOCH = datetime(2000, 1, 1, tzinfo=IST)
_EPOCH_ORDINAL = _EPOCH.toordinal()
_MAX_CACHED_DAYS = 4096


class CalendarEndedError(NeedsHumanError):
    """The question reaches past what the calendar knows: bring its data up to date."""


@dataclass(frozen=True, slots=True)
class Phase:
    """What one segment does at one instant.

    Args:
        status: the word of the HTTP contract.
        since: when this status began; None when that lies outside of the data.
        until: when it ends; None when nobody knows.
        sub_phase: what happens within it: order_entry, random_close (a window: it may end at any moment in it),
            matching, continuous, between, weekend, holiday, ...
        sub_since: when the sub-phase began.
        sub_until: when it ends.
        kind: the kind of day: normal, muhurat, budget, drill, ..., weekend, holiday, ad_hoc, unknown.
        confidence: how well sourced the segment's hours of this day are.
    """

    status: Status
    since: datetime | None
    until: datetime | None
    sub_phase: str
    sub_since: datetime
    sub_until: datetime
    kind: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Change:
    """The next change of status: when, and to what."""

    at: datetime
    status: Status


class Calendar:
    """Answers about the market's time from parsed data and the operator's overrides.

    Args:
        data: what `market_data.parse` made of the data file.
        overrides: what `market_overrides.parse_overrides` made of the operator's document; it wins, day by day.
    """

    def __init__(self, data: MarketData, overrides: Mapping[date, Override] | None = None) -> None:
        self.data = data
        self.overrides = dict(overrides or {})
        self._days: dict[tuple[str, int], tuple[list[int], list[Phase]]] = {}

    def with_overrides(self, overrides: Mapping[date, Override]) -> "Calendar":
        """Give the same data under other overrides."""
        return Calendar(self.data, overrides)

    # ---- now --------------------------------------------------------------------------------------------------------

    def phase(self, segment: str, at: datetime) -> Phase:
        """Tell what a segment does at an instant.

        Raises:
            ValueError: the instant has no offset, or there is no such segment.
        """
        if at.tzinfo is None:
            raise ValueError("an instant without an offset")
        since_epoch = at - _EPOCH
        starts, phases = self._compiled(segment, since_epoch.days)
        return phases[bisect_right(starts, since_epoch.seconds) - 1]

    def next_change(self, segment: str, at: datetime) -> Change | None:
        """Tell when the status changes next, and to what; None when nobody knows."""
        until = self.phase(segment, at).until
        return Change(until, self.phase(segment, until).status) if until else None

    def phases(self, segment: str, day: date) -> tuple[Phase, ...]:
        """Give a day's whole schedule, from midnight to midnight, one phase after the other."""
        return tuple(self._compiled(segment, day.toordinal() - _EPOCH_ORDINAL)[1])

    def live_hours(self, segment: str, day: date) -> tuple[datetime, datetime] | None:
        """Give when continuous trading first begins and last ends on a day; None when it never does."""
        live = [phase for phase in self.phases(segment, day) if phase.status is Status.LIVE]
        return (live[0].sub_since, live[-1].sub_until) if live else None

    # ---- days -------------------------------------------------------------------------------------------------------

    def day(self, day: date) -> Day:
        """Tell what is known of a date."""
        return know(self.data, self.overrides.get(day), day)

    def backing(self, segment: str, day: date) -> Day | Regime:
        """Give what a segment's hours of a day rest on: it has a source, a confidence and a note."""
        facts = self.day(day)
        return self.data.regime(segment, day) if facts.kind == "normal" else facts

    def covers(self, day: date) -> bool:
        """Tell whether the data reaches to a date (an override may know more)."""
        return self.data.covers(day)

    def days_left(self, today: date) -> int:
        """Count the days after `today` that the data still covers; negative once it has run out."""
        return (self.data.valid_through - today).days

    def is_trading_day(self, day: date) -> bool | None:
        """Tell whether there is a session on a date; None when the calendar does not know."""
        return self.day(day).trading

    def add_trading_days(self, day: date, count: int) -> date:
        """Go `count` trading days forward (or back, if negative) from a date, which itself does not count.

        Raises:
            CalendarEndedError: the way leads past the data.
        """
        step = ONE_DAY if count > 0 else -ONE_DAY
        for _ in range(abs(count)):
            day += step
            while not self._known_trading(day):
                day += step
        return day

    def _known_trading(self, day: date) -> bool:
        trading = self.is_trading_day(day)
        if trading is None:
            raise CalendarEndedError(
                f"{day} is outside of the market calendar ({self.data.valid_from} to {self.data.valid_through}): "
                "add the exchanges' new list to market_sessions.json"
            )
        return trading

    # ---- compiling a day --------------------------------------------------------------------------------------------

    def _compiled(self, segment: str, number: int) -> tuple[list[int], list[Phase]]:
        key = (segment, number)
        if (found := self._days.get(key)) is None:
            if segment not in SEGMENTS:
                raise ValueError(f"no such segment: {segment!r}; there are {', '.join(SEGMENTS)}")
            if len(self._days) >= _MAX_CACHED_DAYS:
                self._days.clear()
            found = self._days[key] = self._compile(segment, date.fromordinal(number + _EPOCH_ORDINAL))
        return found

    def _compile(self, segment: str, day: date) -> tuple[list[int], list[Phase]]:
        confidence, pieces = self.backing(segment, day).confidence, self._pieces(segment, day)
        midnight = _EPOCH + timedelta(days=day.toordinal() - _EPOCH_ORDINAL)
        phases = [
            Phase(
                piece.status, None, None, piece.sub_phase,
                midnight + timedelta(seconds=piece.start), midnight + timedelta(seconds=piece.end),
                self.day(day).kind, confidence,
            )
            for piece in pieces
        ]  # fmt: skip
        since = self._reach(segment, day, pieces[0].status, -ONE_DAY)
        for index, phase in enumerate(phases):
            if index and phase.status is not phases[index - 1].status:
                since = phase.sub_since
            phases[index] = replace(phase, since=since)
        until = self._reach(segment, day, pieces[-1].status, ONE_DAY)
        for index in reversed(range(len(phases))):
            if index < len(phases) - 1 and phases[index].status is not phases[index + 1].status:
                until = phases[index].sub_until
            phases[index] = replace(phases[index], until=until)
        return [piece.start for piece in pieces], phases

    def _reach(self, segment: str, day: date, status: Status, step: timedelta) -> datetime | None:
        """Find where a status that touches a day's edge ends, in the days before or after it."""
        back = step < timedelta(0)
        while (neighbour := self._neighbour(day, step)) is not None:
            pieces = self._pieces(segment, neighbour)
            for piece in reversed(pieces) if back else pieces:
                if piece.status is not status:
                    return _instant(neighbour, piece.end if back else piece.start)
            day = neighbour
        return None

    def _neighbour(self, day: date, step: timedelta) -> date | None:
        """Give the next day in a direction; a stretch without any data is passed in one leap."""
        if self.covers(day) or day in self.overrides:
            return day + step
        known = [self.data.valid_from, self.data.valid_through, *self.overrides]
        ahead = [it for it in known if (it > day if step > timedelta(0) else it < day)]
        return (min(ahead) if step > timedelta(0) else max(ahead)) if ahead else None

    def _pieces(self, segment: str, day: date) -> tuple[Session, ...]:
        facts = self.day(day)
        if facts.trading is None or not facts.times_known:
            return (Session(0, DAY_SECONDS, Status.UNKNOWN, "no_data" if facts.trading is None else "times_unknown"),)
        if not facts.trading:
            return (Session(0, DAY_SECONDS, Status.CLOSED, "weekend" if facts.kind == "weekend" else "holiday"),)
        return _filled(self._sessions(segment, day))

    def _sessions(self, segment: str, day: date) -> tuple[Session, ...]:
        declared = self.overrides.get(day) or self.data.specials.get(day)
        if declared is None or declared.normal:
            return self.data.regime(segment, day).sessions
        return (declared.sessions or {})[segment]


def _filled(sessions: tuple[Session, ...]) -> tuple[Session, ...]:
    """Fill the rest of a trading day with CLOSED: before, between and after its sessions."""
    if not sessions:
        return (Session(0, DAY_SECONDS, Status.CLOSED, "no_session"),)
    pieces = [Session(0, sessions[0].start, Status.CLOSED, "before_open")]
    for session, following in pairwise(sessions):
        pieces += [session, Session(session.end, following.start, Status.CLOSED, "between")]
    pieces += [sessions[-1], Session(sessions[-1].end, DAY_SECONDS, Status.CLOSED, "after_close")]
    return tuple(piece for piece in pieces if piece.start < piece.end)


def _instant(day: date, seconds: int) -> datetime:
    return _EPOCH + timedelta(days=day.toordinal() - _EPOCH_ORDINAL, seconds=seconds)
