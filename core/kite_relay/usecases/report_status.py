"""Report the status: read what the store, the board and the parameters tell, and judge it.

Reads without any right to decrypt. Whatever does not answer is told as unknown, never as well; nothing is raised.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from kite_relay import __version__
from kite_relay.domain.errors import KiteRelayError
from kite_relay.domain.health import Health, assess
from kite_relay.domain.market import Calendar
from kite_relay.domain.records import Heartbeat, Notifications, TokenCheck, TokenRecord, in_order, timeline_key
from kite_relay.domain.status_market import MarketFacts
from kite_relay.domain.status_rules import Facts
from kite_relay.domain.status_token import TokenFacts
from kite_relay.domain.status_worker import believed
from kite_relay.domain.token import IST, TokenStamp
from kite_relay.ports import Clock, Item, Parameters, StatusBoard, TokenStore
from kite_relay.usecases.owner_session import owner

KEEP_SECONDS = 5.0
"""How long a slowly changing parameter may be kept: the contract's limit for any cache."""
GLANCE_SECONDS = 1.0
"""How long one look at the board and the store serves: however many ask, a process looks once a second."""
T = TypeVar("T")


class Kept(Generic[T]):
    """Keeps what a function gave for at most `KEEP_SECONDS`, or as told; what it raised is never kept."""

    def __init__(self, read: Callable[[], T], clock: Clock, seconds: float = KEEP_SECONDS) -> None:
        self._read = read
        self._clock = clock
        self._seconds = seconds
        self._value: tuple[float, T] | None = None

    def get(self) -> T:
        """Give the kept value, or read it anew."""
        now = self._clock.monotonic()
        if self._value is None or now - self._value[0] > self._seconds:
            self._value = now, self._read()
        return self._value[1]


class CalendarSource(Protocol):
    """Where the calendar under the newest overrides comes from."""

    @property
    def problem(self) -> str | None:
        """Why the newest overrides do not count; None when they do."""
        ...

    def current(self, now: datetime) -> Calendar:
        """Give the calendar to answer with at this instant."""
        ...


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the facts come from."""

    store: TokenStore
    parameters: Parameters
    board: StatusBoard
    clock: Clock
    calendar: CalendarSource


@dataclass(frozen=True, slots=True)
class Report:
    """What was found.

    Args:
        facts: what was read.
        health: the judgement.
        calendar: the calendar, overrides in force.
        owner: the Zerodha user whose session asked; empty for anybody else.
        timeline: what happened today.
    """

    facts: Facts
    health: Health
    calendar: Calendar
    owner: str = ""
    timeline: tuple[Mapping[str, Any], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class _Glance:
    """One look at the board and the token's parameter, taken together, so that they fit one another."""

    items: Mapping[str, Item] | None
    token: TokenFacts
    entries: tuple[Mapping[str, Any], ...]


class ReportStatus:
    """Answers `how is it?`."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._api_key = Kept(lambda: sources.parameters.exists("api_key"), sources.clock)
        self._glance = Kept(self._look, sources.clock, GLANCE_SECONDS)

    def report(self, *, login_url: str, session: str = "") -> Report:
        """Read everything and judge it.

        Args:
            login_url: where a person logs in.
            session: the owner's session cookie, if the request carries one.
        """
        now = self._sources.clock.now()
        seen = self._glance.get()
        items = seen.items or {}
        told = Notifications.from_item(items.get(Notifications.KEY)) or Notifications()
        calendar = self._sources.calendar.current(now)
        facts = Facts(
            now=now,
            token=seen.token,
            heartbeat=believed(Heartbeat.from_item(items.get(Heartbeat.KEY))),
            market=MarketFacts.read(calendar, now, self._sources.calendar.problem or ""),
            login_url=login_url,
            version=__version__,
            board_answered=seen.items is not None,
            api_key_present=self._api_key_present(),
            failed_channels=tuple(told.failed),
            failed_at=told.failed_at,
        )
        return Report(facts, assess(facts), calendar, self._owner(session), seen.entries)

    def _look(self) -> _Glance:
        day_key = timeline_key(self._sources.clock.now().astimezone(IST).date())
        items: Mapping[str, Item] | None = None
        with suppress(KiteRelayError):
            items = self._sources.board.get(
                [TokenRecord.KEY, TokenCheck.KEY, Heartbeat.KEY, Notifications.KEY, day_key]
            )
        found = items or {}
        entries = in_order(found.get(day_key, {}).get("entries", ()))
        return _Glance(items, self._token(found, board_answered=items is not None), tuple(entries))

    def _owner(self, session: str) -> str:
        """Ask each time: a session that was closed opens nothing any more."""
        with suppress(KiteRelayError):
            return owner(self._sources, session) or ""
        return ""

    def _token(self, items: Mapping[str, Item], *, board_answered: bool) -> TokenFacts:
        stamp: TokenStamp | None = None
        answered = True
        try:
            stamp = self._sources.store.peek()
        except KiteRelayError:
            answered = False
        return TokenFacts(
            stamp,
            TokenRecord.from_item(items.get(TokenRecord.KEY)),
            TokenCheck.from_item(items.get(TokenCheck.KEY)),
            store_answered=answered,
            board_answered=board_answered,
        )

    def _api_key_present(self) -> bool | None:
        try:
            return self._api_key.get()
        except KiteRelayError:
            return None
