"""What to tell the operator's phone, and when: one message per reason and day, and none that is not needed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from kite_relay.domain.market import Calendar, Day
from kite_relay.domain.market_data import WEEKDAYS
from kite_relay.domain.status_market import SEGMENTS
from kite_relay.domain.status_token import TokenStatus, TokenView
from kite_relay.domain.token import IST, parse_instant

SLOTS = (time(8, 0), time(8, 45), time(9, 5))
"""When a missing login is told, in India's time; the last word comes when the market opens."""
FIRST_TICK = "first_tick"
"""The timeline's word for the first tick on a new token."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """The hours in which nothing is sent, [start, end) in India's time; equal ends mean none. May span midnight."""

    start: time
    end: time

    @classmethod
    def parse(cls, text: str) -> "QuietHours":
        """Read '22:00-07:00'.

        Raises:
            ValueError: it has another form.
        """
        try:
            start, end = (time.fromisoformat(part) for part in text.split("-"))
        except ValueError as error:
            raise ValueError(f"quiet hours are written like 22:00-07:00, not {text!r}") from error
        return cls(start, end)

    def hold(self, now: datetime) -> bool:
        """Tell whether nothing may be sent now."""
        at = now.astimezone(IST).time()
        if self.start <= self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `key` names its reason on this day: what was sent under a key is never sent again."""

    key: str
    title: str
    body: str


def due(
    now: datetime, calendar: Calendar, token: TokenView, timeline: Iterable[Mapping[str, Any]], login_url: str
) -> Iterator[Message]:
    """Give the messages that this moment calls for; whoever sends them leaves out what was sent already."""
    local = now.astimezone(IST)
    day = calendar.day(local.date())
    if not _session_expected(day):
        return
    hours = _Hours.of(calendar, day)
    if token.status is TokenStatus.VALID:
        live_since = _first_tick(timeline, token.generation)
        if live_since:
            yield _live(day, live_since)
        return
    slot = _slot(local, hours)
    if slot:
        yield _login(day, slot, hours, token, login_url)


@dataclass(frozen=True, slots=True)
class _Hours:
    """When trading begins and ends on a day, over all segments; None when nobody knows."""

    open: datetime | None
    close: datetime | None

    @classmethod
    def of(cls, calendar: Calendar, day: Day) -> "_Hours":
        spans = [calendar.live_hours(segment, day.date) for segment in SEGMENTS]
        known = [span for span in spans if span]
        return cls(min((it[0] for it in known), default=None), max((it[1] for it in known), default=None))


def _session_expected(day: Day) -> bool:
    """Count a weekday past the end of the calendar as a session: a needless message harms less than silence."""
    return day.trading if day.trading is not None else day.date.weekday() < WEEKDAYS


def _slot(local: datetime, hours: _Hours) -> str | None:
    """Name the reminder that this minute belongs to: the latest one whose time has come, until trading ends."""
    if hours.close and local >= hours.close:
        return None
    if hours.open and local >= hours.open:
        return "open"
    passed = [slot for slot in SLOTS if local.time() >= slot]
    return f"{passed[-1]:%H:%M}" if passed else None


def _login(day: Day, slot: str, hours: _Hours, token: TokenView, login_url: str) -> Message:
    why = {
        TokenStatus.MISSING: "There is no token",
        TokenStatus.EXPIRED: "Yesterday's token has expired",
        TokenStatus.REJECTED: "Zerodha rejects the token",
        TokenStatus.SUSPECT: "The token may not live through the day",
    }[token.status]
    title = "The market is open, and no token is good" if slot == "open" else "Log in to Zerodha"
    return Message(f"{day.date}#{slot}", title, f"{why}. {_opening(day, hours, slot)} One tap: {login_url}")


def _opening(day: Day, hours: _Hours, slot: str) -> str:
    what = f"{day.special}: trading" if day.special else "Trading"
    if hours.open is None:
        if day.trading is None:
            return "The market calendar has run out, so there may be a session today."
        return f"{day.special or 'A session'} is today; its hours are not known here."
    return f"{what} {'began' if slot == 'open' else 'begins'} at {hours.open:%H:%M}."


def _live(day: Day, since: datetime) -> Message:
    return Message(
        f"{day.date}#live", f"Live since {since:%H:%M}", "First tick received on today's token. Nothing to do."
    )


def _first_tick(timeline: Iterable[Mapping[str, Any]], generation: int) -> datetime | None:
    """Find when the day's first tick on a generation came; entries that cannot be read do not count."""
    for entry in timeline:
        if entry.get("what") == FIRST_TICK and entry.get("generation") == generation:
            try:
                return parse_instant(str(entry.get("at"))).astimezone(IST)
            except ValueError:
                continue
    return None
