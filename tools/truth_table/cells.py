"""The cells: every state of the token, the market, the feed, the worker and its clock, as facts for `assess`."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import product

from kite_relay import __version__
from kite_relay.adapters.calendar import load_calendar
from kite_relay.domain.health import Health, assess
from kite_relay.domain.records import Heartbeat, TokenCheck, TokenRecord
from kite_relay.domain.status_market import MarketFacts
from kite_relay.domain.status_rules import Facts
from kite_relay.domain.status_token import TokenFacts
from kite_relay.domain.token import IST, TokenStamp

LOGIN_URL = "https://kite.example/login"
GENERATION = 7


def ist(text: str) -> datetime:
    """Read `2026-11-27 10:00` as Indian time."""
    return datetime.fromisoformat(text).replace(tzinfo=IST)


MOMENTS: Mapping[str, datetime] = {
    "A trading day at 5:00, before Zerodha clears tokens": ist("2026-11-27 05:00"),
    "A trading day at 6:40, while Zerodha clears tokens": ist("2026-11-27 06:40"),
    "A trading day at 8:00, before the market": ist("2026-11-27 08:00"),
    "A trading day at 9:05, in the pre-open": ist("2026-11-27 09:05"),
    "A trading day at 10:00, the market is open": ist("2026-11-27 10:00"),
    "A trading day at 15:20, in the closing auction": ist("2026-11-27 15:20"),
    "A trading day at 15:55, after the close": ist("2026-11-27 15:55"),
    "A trading day at 20:00, in the evening": ist("2026-11-27 20:00"),
    "A Saturday at 12:00": ist("2026-11-28 12:00"),
    "A holiday at 12:00": ist("2026-11-24 12:00"),
    "A muhurat day at 18:30, its times not known": ist("2026-11-08 18:30"),
    "A day past the calendar's end, at 11:00": ist("2027-01-05 11:00"),
}
"""When."""

Minting = Callable[[datetime], TokenFacts]


def _at(now: datetime, clock: str, days: int = 0) -> datetime:
    hours, minutes = clock.split(":")
    return now.replace(hour=int(hours), minute=int(minutes)) - timedelta(days=days)


def _facts(
    minted_at: datetime, *, verified_at: datetime | None = None, rejected_at: datetime | None = None
) -> TokenFacts:
    return TokenFacts(
        TokenStamp(GENERATION, minted_at),
        TokenRecord(GENERATION, "AB1234", minted_at, minted_at, minted_at, 32, "login"),
        TokenCheck(GENERATION, verified_at, rejected_at),
    )


def _newest_login(now: datetime) -> datetime:
    """Give the latest 7:40 before now: a login made when Zerodha advises it."""
    today = _at(now, "07:40")
    return today if today <= now else _at(now, "07:40", days=1)


def _minted_early(now: datetime) -> datetime:
    today = _at(now, "06:30")
    return today if today <= now else _at(now, "06:30", days=1)


TOKENS: Mapping[str, Minting] = {
    "made at 7:40, accepted": lambda now: _facts(_newest_login(now), verified_at=_newest_login(now)),
    "made at 6:30, not confirmed": lambda now: _facts(_minted_early(now)),
    "put in by hand, not confirmed": lambda now: TokenFacts(TokenStamp(GENERATION, _newest_login(now))),
    "made at 7:40, rejected": lambda now: _facts(_newest_login(now), rejected_at=now - timedelta(minutes=3)),
    "two days old": lambda now: _facts(_at(now, "08:47", days=2)),
    "logged out": lambda now: replace(_facts(_newest_login(now)), record=TokenRecord(GENERATION, source="logout")),
    "never made": lambda _now: TokenFacts(),
    "the store is silent": lambda now: replace(_facts(_newest_login(now)), stamp=None, store_answered=False),
}
"""How the token came to be."""


def _beat(now: datetime, age: float = 2, tick_age: float | None = 2, **changes: object) -> Heartbeat:
    at = now - timedelta(seconds=age)
    tick_at = None if tick_age is None else at - timedelta(seconds=tick_age)
    beat = Heartbeat(
        heartbeat_at=at,
        started_at=now - timedelta(days=3),
        version=__version__,
        generation=GENERATION,
        connected=True,
        connected_at=now - timedelta(hours=2),
        last_frame_at=at,
        last_tick_at=tick_at,
        subscriptions=3,
        clock_skew_seconds=0.1,
    )
    return replace(beat, **changes)  # type: ignore[arg-type]  # names of the record's own fields


WORKERS: Mapping[str, Callable[[datetime], Heartbeat | None]] = {
    "ticks come": _beat,
    "connected, no tick for 10 min": lambda now: _beat(now, tick_age=600),
    "not connected": lambda now: _beat(now, tick_age=600, connected=False),
    "on the token before": lambda now: _beat(now, generation=GENERATION - 1),
    "last heard 60 s ago": lambda now: _beat(now, age=60),
    "silent for 120 s": lambda now: _beat(now, age=120),
    "never heard": lambda _now: None,
    "from the future": lambda now: _beat(now, age=-300),
    "board unreadable": lambda _now: None,
}
"""How the worker and its feed are."""

NEVER = ("never made",)
CONNECTED = ("ticks come", "connected, no tick for 10 min", "on the token before", "last heard 60 s ago")
"""The workers that are, or were when they last spoke, connected to Zerodha."""
CLOCKS: Mapping[str, float] = {"right": 0.1, "45 s off": 45.0}
"""How the worker's clock is, as it measures it itself."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: where it stands, what it rests on, and the answer."""

    moment: str
    token: str
    worker: str
    clock: str
    facts: Facts
    health: Health


def cell(moment: str, token: str, worker: str, clock: str) -> Cell:
    """Work out one cell."""
    now = MOMENTS[moment]
    board_answered = worker != "board unreadable"
    known = TOKENS[token](now)
    if not board_answered:
        known = replace(known, record=None, check=None, board_answered=False)
    beat = WORKERS[worker](now)
    if beat and known.stamp is None and known.store_answered:
        beat = replace(beat, generation=0)
    facts = Facts(
        now=now,
        token=known,
        heartbeat=replace(beat, clock_skew_seconds=CLOCKS[clock]) if beat else None,
        market=MarketFacts.read(load_calendar(), now),
        login_url=LOGIN_URL,
        version=__version__,
        board_answered=board_answered,
        api_key_present=True if known.store_answered else None,
    )
    return Cell(moment, token, worker, clock, facts, assess(facts))


def cells() -> Iterator[Cell]:
    """Work out every cell that can be."""
    for moment, token, worker, clock in product(MOMENTS, TOKENS, WORKERS, CLOCKS):
        if possible(token, worker):
            yield cell(moment, token, worker, clock)


def possible(token: str, worker: str) -> bool:
    """Leave out what cannot be: where there never was a token, no worker is connected."""
    return worker not in CONNECTED or token not in NEVER
