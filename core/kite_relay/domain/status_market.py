"""What the status needs of the market: phases per segment, and whether a login is worth the trouble now."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from kite_relay.domain.market import Calendar, Change, Phase, Status
from kite_relay.domain.market_data import WEEKDAYS
from kite_relay.domain.token import IST

LOGIN_FROM = time(7, 35)
"""From when on a token lasts the whole day: Zerodha's own advice, once the morning's flush is over."""
SEGMENTS = ("cash", "cash_cas", "derivatives")
"""The segments of the contract."""
_TRADING = (Status.LIVE, Status.CLOSING_AUCTION)
CALENDAR_WARNING = timedelta(days=30)
"""How long before its end the calendar's data should be renewed."""


@dataclass(frozen=True, slots=True)
class MarketFacts:
    """What the calendar tells about now.

    Args:
        segments: the phase of `cash`, `cash_cas` and `derivatives`.
        is_weekend: Saturday or Sunday, session or not.
        holiday: the name of today's closure.
        open_at: when cash trading starts today; None without a session, or when nobody knows.
        close_at: when cash trading ends today.
        next_change: the cash segment's next phase: when, and which.
        next_open: when cash trading starts next, after now; None when nobody knows.
        unknown_from: from when on the calendar has no answer, if that comes before the next open.
        due_end: the end of today's continuous trading in shares with a closing auction, the first to stop.
        trades_until: the end of today's last trading of any segment; None without a session, or when nobody knows.
        valid_through: the last day that the calendar knows.
        overrides_problem: why the override document was not taken; empty when all is well.
    """

    segments: Mapping[str, Phase]
    is_weekend: bool = False
    holiday: str | None = None
    open_at: datetime | None = None
    close_at: datetime | None = None
    next_change: Change | None = None
    next_open: datetime | None = None
    unknown_from: datetime | None = None
    due_end: datetime | None = None
    trades_until: datetime | None = None
    valid_through: date | None = None
    overrides_problem: str = ""

    @classmethod
    def read(cls, calendar: Calendar, now: datetime, overrides_problem: str = "") -> "MarketFacts":
        """Ask the calendar about now."""
        today = now.astimezone(IST).date()
        hours = calendar.live_hours("cash", today)
        due = calendar.live_hours("cash_cas", today)
        next_open, unknown_from = _next_open(calendar, now)
        return cls(
            segments={name: calendar.phase(name, now) for name in SEGMENTS},
            is_weekend=today.weekday() >= WEEKDAYS,
            holiday=calendar.day(today).holiday,
            open_at=hours and hours[0],
            close_at=hours and hours[1],
            next_change=calendar.next_change("cash", now),
            next_open=next_open,
            unknown_from=unknown_from,
            due_end=due and due[1],
            trades_until=_trades_until(calendar, today),
            valid_through=calendar.data.valid_through,
            overrides_problem=overrides_problem,
        )

    @property
    def status(self) -> Status:
        """The market's phase, in one word: the cash segment's."""
        return self.segments["cash"].status

    @property
    def unknown(self) -> bool:
        """Whether the calendar has no answer."""
        return self.status is Status.UNKNOWN

    @property
    def all_closed(self) -> bool:
        """Whether no segment does anything, so that a packet that comes is only a kept one."""
        return all(phase.status is Status.CLOSED for phase in self.segments.values())

    @property
    def ticks_due(self) -> bool:
        """Whether silence would be wrong: every share trades continuously, so that indices move too."""
        return all(self.segments[name].status is Status.LIVE for name in ("cash", "cash_cas"))

    def ticks_due_until(self, now: datetime) -> datetime | None:
        """Give the latest instant of this session at which silence was wrong; None when there was none, or it is over.

        Without it a feed that fell mute in open trading would be well again as soon as the closing auction begins.
        """
        if self.ticks_due:
            return now
        trading = self.trades_until is not None and now < self.trades_until
        return self.due_end if trading and self.due_end and self.due_end <= now else None

    def session_ahead(self, now: datetime) -> bool:
        """Tell whether trading is on or comes before a token minted now would die; unknown counts as yes."""
        return self.unknown or (self.trades_until is not None and now < self.trades_until)

    def login_helps(self, now: datetime) -> bool:
        """Tell whether a person who logs in now gets a token that lives into a session."""
        return self.session_ahead(now) and now.astimezone(IST).time() >= LOGIN_FROM


def next_login_time(market: MarketFacts, now: datetime) -> datetime | None:
    """Say from when on the next login is worth it; None when the calendar does not know."""
    if market.login_helps(now):
        return now
    if market.session_ahead(now):
        day: date = now.astimezone(IST).date()
    elif market.next_open:
        day = market.next_open.astimezone(IST).date()
    else:
        return None
    return datetime.combine(day, LOGIN_FROM, IST)


def _next_open(calendar: Calendar, now: datetime) -> tuple[datetime | None, datetime | None]:
    """Find the next start of cash trading, or the instant from which on nobody knows."""
    at = now
    while change := calendar.next_change("cash", at):
        if change.status is Status.LIVE:
            return change.at, None
        if change.status is Status.UNKNOWN:
            return None, change.at
        at = change.at
    return None, None


def _trades_until(calendar: Calendar, today: date) -> datetime | None:
    phases = [phase for name in SEGMENTS for phase in calendar.phases(name, today)]
    return max((phase.sub_until for phase in phases if phase.status in _TRADING), default=None)
