"""The bodies of the HTTP contract: names and meanings are promised, more may be added."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from kite_relay.domain.market import Calendar, Phase
from kite_relay.domain.market_data import WEEKDAYS
from kite_relay.domain.market_overrides import Override
from kite_relay.domain.records import Heartbeat
from kite_relay.domain.status_market import SEGMENTS
from kite_relay.domain.token import IST
from kite_relay.usecases.report_status import Report

Body = dict[str, Any]


def token_status(report: Report) -> Body:
    """Give the body of `/api/token-status`."""
    facts, token = report.facts, report.health.token
    return {
        "timestamp": _iso(facts.now),
        "ist_time": f"{facts.now.astimezone(IST):%Y-%m-%d %H:%M:%S %A}",
        "credentials": {
            "api_key_present": bool(facts.api_key_present),
            "access_token_present": token.present and token.generation > 0,
            "token_length": token.length,
        },
        "token_expiry": token_expiry(report),
        "market": market_summary(report),
        "next_action": report.health.next_action,
    }


def token_expiry(report: Report) -> Body:
    """Give what can be said of the token's life."""
    token, now = report.health.token, report.facts.now
    left = (token.expires_at - now) / timedelta(hours=1) if token.expires_at else None
    return {
        "expires_at": f"{token.expires_at.astimezone(IST):%Y-%m-%d %H:%M:%S}" if token.expires_at else None,
        "hours_until_expiry": None if left is None else round(left, 2),
        "likely_valid": token.likely_valid,
        "status": token.status.value,
        "verified_at": _iso(token.verified_at),
        "minted_at": _iso(token.minted_at),
        "generation": token.generation or None,
    }


def market_summary(report: Report) -> Body:
    """Give what can be said of the market now."""
    market = report.facts.market
    change = market.next_change
    return {
        "status": market.status.value,
        "is_weekend": market.is_weekend,
        "market_open_time": _wall(market.open_at),
        "market_close_time": _wall(market.close_at),
        "holiday": market.holiday,
        "next_change": {"at": _iso(change.at), "status": change.status.value} if change else None,
        "segments": {name: _phase(market.segments[name]) for name in SEGMENTS},
    }


def detailed(report: Report, *, full: bool) -> Body:
    """Give the body of `/api/health/detailed`.

    Args:
        report: what was found.
        full: for the owner; a stranger gets the same shape with the verdict, the expiry and the market alone: what
            is withheld is null or empty.
    """
    facts, health = report.facts, report.health
    shown = {name: feature.value for name, feature in health.features.items()}
    open_to_all = ("market_feed", "websocket", "ai_analysis", "news_detection")
    body: Body = {
        "verdict": health.verdict,
        "status": health.status.value,
        "backend": "running",
        "redis": None,
        "zerodha": {
            "api_key": "configured" if facts.api_key_present else "missing",
            "access_token": "configured" if health.token.present and health.token.generation else "missing",
        },
        "features": {name: shown[name] if name == "market_feed" else None for name in open_to_all},
        "auto_reload": None,
        "auto_reload_generation": None,
        "worker": dict.fromkeys(_WORKER_KEYS) | {"clients": []},
        "findings": [],
        "timeline": [],
        "detail": "full" if full else "withheld",
        "timestamp": _iso(facts.now),
        "version": facts.version,
        "next_action": health.next_action,
        "login_url": facts.login_url,
        "token_expiry": token_expiry(report),
        "market": market_summary(report),
    }
    return body | _owners_part(report, shown) if full else body


_WORKER_KEYS = (
    "last_heartbeat",
    "generation",
    "connected",
    "last_frame_at",
    "last_tick_at",
    "subscriptions",
    "clients",
    "version",
    "started_at",
    "pulse",
)


def _owners_part(report: Report, shown: Mapping[str, str]) -> Body:
    health, worker = report.health, report.health.worker
    alive = worker.pulse.believable
    beat = worker.heartbeat or Heartbeat()
    return {
        "redis": beat.redis if alive else "not_configured" if worker.heartbeat is None else "unreachable",
        "features": dict(shown),
        "auto_reload": "enabled" if alive else "disabled",
        "auto_reload_generation": worker.generation,
        "worker": {
            "last_heartbeat": _iso(beat.heartbeat_at),
            "generation": beat.generation if worker.heartbeat else None,
            "connected": worker.connected,
            "last_frame_at": _iso(beat.last_frame_at),
            "last_tick_at": _iso(beat.last_tick_at),
            "subscriptions": beat.subscriptions,
            "clients": [dict(client) for client in beat.clients],
            "version": beat.version or None,
            "started_at": _iso(beat.started_at),
            "pulse": worker.pulse.value,
        },
        "findings": [finding.to_body() for finding in health.findings],
        "timeline": [dict(entry) for entry in report.timeline],
    }


def market(calendar: Calendar, now: datetime, day: date, problem: str = "") -> Body:
    """Give the body of `/api/market`: each segment's phase now and next, and its schedule of one day."""
    facts = calendar.day(day)
    segments: Body = {}
    for name in SEGMENTS:
        change = calendar.next_change(name, now)
        segments[name] = _phase(calendar.phase(name, now)) | {
            "next_change": {"at": _iso(change.at), "status": change.status.value} if change else None,
            "schedule": [_slot(phase) for phase in calendar.phases(name, day)],
        }
    return {
        "timestamp": _iso(now),
        "date": day.isoformat(),
        "is_trading_day": facts.trading,
        "is_weekend": day.weekday() >= WEEKDAYS,
        "reason": facts.reason,
        "holiday": facts.holiday,
        "special": facts.special,
        "source": facts.source,
        "confidence": facts.confidence,
        "times_known": facts.times_known,
        "valid_through": calendar.data.valid_through.isoformat(),
        "overrides": [_override(it) for it in calendar.overrides.values() if it.date >= now.astimezone(IST).date()],
        "overrides_problem": problem or None,
        "segments": segments,
    }


def _phase(phase: Phase) -> Body:
    return {
        "status": phase.status.value,
        "since": _iso(phase.since),
        "until": _iso(phase.until),
        "sub_phase": phase.sub_phase,
    }


def _slot(phase: Phase) -> Body:
    return {
        "status": phase.status.value,
        "sub_phase": phase.sub_phase,
        "from": _iso(phase.sub_since),
        "to": _iso(phase.sub_until),
    }


def _override(override: Override) -> Body:
    return {
        "date": override.date.isoformat(),
        "open": override.open,
        "name": override.name,
        "author": override.author,
        "at": _iso(override.at),
    }


def _iso(instant: datetime | None) -> str | None:
    return instant.astimezone(IST).isoformat(timespec="seconds") if instant else None


def _wall(instant: datetime | None) -> str | None:
    return f"{instant.astimezone(IST):%I:%M %p} IST" if instant else None
