"""How the worker and its feed are, by its last heartbeat. Unknown is never ok."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from kite_relay.domain.records import Heartbeat
from kite_relay.domain.status_market import MarketFacts

SILENT_AFTER = timedelta(seconds=120)
"""A worker that was not heard of for so long is silent: nothing that it once said counts any more."""
LATE_AFTER = timedelta(seconds=30)
"""Three heartbeats missed: nothing is wrong yet, but what it last said grows old."""
TICK_FRESH = timedelta(seconds=30)
"""In an open phase, green means a tick that is at most this old."""
SKEW_WARNING = 2.0
SKEW_ERROR = 30.0
"""Seconds: past this, ages that mix the worker's clock with ours mean nothing."""
PICKUP_LIMIT = timedelta(seconds=75)
"""A worker that never sees an announcement still finds a new token within this time, by looking."""


class Pulse(StrEnum):
    """How fresh the heartbeat is."""

    FRESH = "fresh"
    LATE = "late"
    SILENT = "silent"
    NEVER = "never"
    FUTURE = "future"
    """It comes from a clock that is ahead of ours, so that it proves nothing."""
    UNKNOWN = "unknown"
    """The board did not answer."""

    @property
    def believable(self) -> bool:
        """Whether what the worker last said still counts."""
        return self in (Pulse.FRESH, Pulse.LATE)


class Feature(StrEnum):
    """How a feature is."""

    ACTIVE = "active"
    IDLE = "idle"
    STALE = "stale"
    DOWN = "down"
    NOT_CONNECTED = "not_connected"


_REDIS = ("connected", "not_configured", "unreachable")
BUILT_IN_CLIENTS = ("ai_analysis", "news_detection")
"""Relay clients that are features by name, listed even before they ever connected."""


@dataclass(frozen=True, slots=True)
class WorkerView:
    """The worker as the status sees it.

    Args:
        pulse: how fresh its heartbeat is.
        heartbeat: what it last said; None when there is none.
        age: how old that is.
        tick_age: how old the last tick is at least; None when there was none.
    """

    pulse: Pulse
    heartbeat: Heartbeat | None = None
    age: timedelta | None = None
    tick_age: timedelta | None = None

    @property
    def connected(self) -> bool:
        """Whether it is believed to be connected to Zerodha."""
        return self.pulse.believable and self.heartbeat is not None and self.heartbeat.connected

    @property
    def ticking(self) -> bool:
        """Whether a tick came just now."""
        return self.connected and self.tick_age is not None and self.tick_age <= TICK_FRESH

    @property
    def generation(self) -> int | None:
        """The token generation that it runs on, as far as it is believed."""
        return self.heartbeat.generation if self.heartbeat and self.pulse.believable else None


def believed(beat: Heartbeat | None) -> Heartbeat | None:
    """Take of a heartbeat only what has the right type: the worker may be of another version than we are."""
    if beat is None:
        return None
    return replace(
        beat,
        version=str(beat.version),
        generation=beat.generation if type(beat.generation) is int else 0,
        connected=beat.connected is True,
        subscriptions=beat.subscriptions if type(beat.subscriptions) is int else 0,
        redis=beat.redis if beat.redis in _REDIS else "unreachable",
        clock_skew_seconds=beat.clock_skew_seconds if isinstance(beat.clock_skew_seconds, int | float) else None,
        clients=_entries(beat.clients),
        findings=_entries(beat.findings),
    )


def _entries(value: object) -> list[dict[str, Any]]:
    return [dict(entry) for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def view_worker(heartbeat: Heartbeat | None, now: datetime, *, board_answered: bool) -> WorkerView:
    """Judge the last heartbeat."""
    if not board_answered:
        return WorkerView(Pulse.UNKNOWN)
    if heartbeat is None or heartbeat.heartbeat_at is None:
        return WorkerView(Pulse.NEVER)
    age = now - heartbeat.heartbeat_at
    return WorkerView(_pulse(age), heartbeat, age, _tick_age(heartbeat, now))


def _pulse(age: timedelta) -> Pulse:
    if age >= SILENT_AFTER:
        return Pulse.SILENT
    if age < timedelta(seconds=-SKEW_ERROR):
        return Pulse.FUTURE
    return Pulse.LATE if age >= LATE_AFTER else Pulse.FRESH


def _tick_age(heartbeat: Heartbeat, now: datetime) -> timedelta | None:
    """Take the older of two readings: by our clock, and by the worker's own (which a wrong clock cannot flatter)."""
    if heartbeat.last_tick_at is None or heartbeat.heartbeat_at is None:
        return None
    return max(now - heartbeat.last_tick_at, heartbeat.heartbeat_at - heartbeat.last_tick_at)


def flowing(worker: WorkerView, market: MarketFacts) -> bool:
    """Tell whether fresh ticks flow; what comes while everything is closed is only what Zerodha kept."""
    return worker.ticking and not market.all_closed


def silence(worker: WorkerView, market: MarketFacts, now: datetime) -> timedelta | None:
    """Tell for how long no tick came while ticks were due; None when nothing is amiss, or nothing can be said.

    The wait begins with the last tick, the connection or the opening, whichever came last.
    """
    due, beat = market.ticks_due_until(now), worker.heartbeat
    if due is None or beat is None or not worker.connected or worker.ticking:
        return None
    opened = [market.segments[name].since for name in ("cash", "cash_cas")] if market.ticks_due else []
    starts = [start for start in (beat.last_tick_at, beat.connected_at, *opened) if start]
    waited = due - max(starts, default=due)
    return waited if market.ticks_due or waited > TICK_FRESH else None


def features(worker: WorkerView, market: MarketFacts, now: datetime, *, token_needed: bool) -> Mapping[str, Feature]:
    """Say how each feature is.

    Args:
        worker: the worker.
        market: the market.
        now: the time.
        token_needed: False while no token is there and none is worth having: then no feed is no fault.
    """
    known = {"market_feed": _feed(worker, market, now, token_needed=token_needed), "websocket": _socket(worker)}
    clients = worker.heartbeat.clients if worker.heartbeat else []
    connected = {str(client.get("name")) for client in clients if client.get("connections", 1)}
    known["relay"] = _stale_unless(worker, Feature.ACTIVE if connected else Feature.IDLE)
    for name in sorted({*BUILT_IN_CLIENTS, *connected} - known.keys()):
        known[name] = _stale_unless(worker, Feature.ACTIVE if name in connected else Feature.NOT_CONNECTED)
    return known


def _stale_unless(worker: WorkerView, feature: Feature) -> Feature:
    return feature if worker.pulse.believable else Feature.STALE


def _feed(worker: WorkerView, market: MarketFacts, now: datetime, *, token_needed: bool) -> Feature:
    if not worker.pulse.believable:
        return Feature.STALE
    if not worker.connected:
        return Feature.DOWN if token_needed else Feature.IDLE
    if flowing(worker, market):
        return Feature.ACTIVE
    return Feature.STALE if market.unknown or silence(worker, market, now) is not None else Feature.IDLE


def _socket(worker: WorkerView) -> Feature:
    beat = worker.heartbeat
    if not worker.pulse.believable or beat is None or beat.heartbeat_at is None:
        return Feature.STALE
    if not beat.connected:
        return Feature.DOWN
    heard = beat.last_frame_at or beat.connected_at
    quiet = heard is None or beat.heartbeat_at - heard > TICK_FRESH
    return Feature.STALE if quiet else Feature.ACTIVE
