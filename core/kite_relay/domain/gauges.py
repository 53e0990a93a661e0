"""The three numbers behind the alarms that only a look at board, token and calendar together can give."""

from dataclasses import dataclass
from datetime import datetime, time

from kite_relay.domain.market import Calendar, Status
from kite_relay.domain.records import Heartbeat
from kite_relay.domain.status_market import SEGMENTS
from kite_relay.domain.status_token import TokenStatus, TokenView
from kite_relay.domain.status_worker import view_worker
from kite_relay.domain.token import IST

TOKEN_DEADLINE = time(9, 0)
"""From when on, on a day with a session, a token that is not good is an alarm."""
_FLOWING = frozenset({Status.PRE_OPEN, Status.LIVE, Status.CLOSING_AUCTION})


@dataclass(frozen=True, slots=True)
class Gauges:
    """What is measured every two minutes.

    Args:
        heartbeat_missing: 1 when the worker is not believed to live while some segment trades, else 0.
        token_needed: 1 when it is 09:00 or later on a day with a session, trading is not over, and no token is good.
        calendar_days_left: how many days the market calendar still covers; negative once it has run out.
    """

    heartbeat_missing: int
    token_needed: int
    calendar_days_left: int


def measure(now: datetime, calendar: Calendar, token: TokenView, heartbeat: Heartbeat | None) -> Gauges:
    """Measure one moment."""
    local = now.astimezone(IST)
    trading = any(calendar.phase(segment, now).status in _FLOWING for segment in SEGMENTS)
    alive = view_worker(heartbeat, now, board_answered=True).pulse.believable
    late = _session_ahead(calendar, local) and local.time() >= TOKEN_DEADLINE
    return Gauges(
        heartbeat_missing=int(trading and not alive),
        token_needed=int(late and token.status is not TokenStatus.VALID),
        calendar_days_left=calendar.days_left(local.date()),
    )


def _session_ahead(calendar: Calendar, local: datetime) -> bool:
    """Tell whether today has a session that is not over yet; hours that nobody knows are not over."""
    if not calendar.is_trading_day(local.date()):
        return False
    spans = [calendar.live_hours(segment, local.date()) for segment in SEGMENTS]
    closes = [span[1] for span in spans if span]
    return not closes or local < max(closes)
