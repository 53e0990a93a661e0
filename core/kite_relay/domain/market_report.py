"""The market's clock as plain JSON: what `kite-relay market` shows."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from kite_relay.domain.market import SEGMENTS, Calendar, CalendarEndedError, Day, Phase
from kite_relay.domain.market_data import ONE_DAY
from kite_relay.domain.token import IST

RANDOM_CLOSE = "random_close"
"""The exchange ends order entry at a moment of its choice in this interval: it is a window, not a time."""


def describe_day(calendar: Calendar, day: date, segments: Iterable[str] = SEGMENTS) -> dict[str, Any]:
    """Describe a date: whether there is a session, why, who says so, and each segment's schedule."""
    facts = calendar.day(day)
    return {
        "date": day.isoformat(),
        "weekday": f"{day:%A}",
        "is_trading_day": facts.trading,
        "reason": facts.reason,
        "kind": facts.kind,
        "holiday": facts.holiday,
        "special": _special(facts),
        "segments": {segment: describe_segment(calendar, segment, day) for segment in segments},
        "settlement_holiday": day in calendar.data.settlement_holidays,
        "previous_trading_day": _neighbour(calendar, day, -1),
        "next_trading_day": _neighbour(calendar, day, 1),
        "source": facts.source,
        "confidence": facts.confidence,
        "override": _override(facts),
        "valid_through": calendar.data.valid_through.isoformat(),
        "timezone": "Asia/Kolkata (UTC+05:30)",
    }


def describe_segment(calendar: Calendar, segment: str, day: date) -> dict[str, Any]:
    """Describe one segment's day; every interval is [start, end), a `window` may end early."""
    hours, backing = calendar.live_hours(segment, day), calendar.backing(segment, day)
    return {
        "opens": _clock(hours[0], day) if hours else None,
        "closes": _clock(hours[1], day) if hours else None,
        "sessions": [
            {
                "start": _clock(phase.sub_since, day),
                "end": _clock(phase.sub_until, day),
                "status": phase.status.value,
                "sub_phase": phase.sub_phase,
                "window": phase.sub_phase == RANDOM_CLOSE,
            }
            for phase in calendar.phases(segment, day)
        ],
        "source": backing.source,
        "confidence": backing.confidence,
        "note": backing.note,
    }


def describe_phase(phase: Phase) -> dict[str, Any]:
    """Describe what a segment does now."""
    return {
        "status": phase.status.value,
        "since": phase.since.isoformat() if phase.since else None,
        "until": phase.until.isoformat() if phase.until else None,
        "sub_phase": phase.sub_phase,
        "sub_phase_until": phase.sub_until.isoformat(),
        "kind": phase.kind,
        "confidence": phase.confidence,
    }


def describe_now(calendar: Calendar, at: datetime, segments: Iterable[str] = SEGMENTS) -> dict[str, Any]:
    """Describe an instant: each segment's phase and its next change."""
    return {
        segment: describe_phase(calendar.phase(segment, at)) | {"next_change": _change(calendar, segment, at)}
        for segment in segments
    }


def _change(calendar: Calendar, segment: str, at: datetime) -> dict[str, str] | None:
    change = calendar.next_change(segment, at)
    return {"at": change.at.isoformat(), "status": change.status.value} if change else None


def _special(facts: Day) -> dict[str, Any] | None:
    if facts.special is None:
        return None
    return {"name": facts.special, "kind": facts.kind, "times_known": facts.times_known, "note": facts.note}


def _override(facts: Day) -> dict[str, str] | None:
    if facts.override is None:
        return None
    return {"author": facts.override.author, "at": facts.override.at.astimezone(IST).isoformat()}


def _neighbour(calendar: Calendar, day: date, count: int) -> str | None:
    try:
        return calendar.add_trading_days(day, count).isoformat()
    except CalendarEndedError:
        return None


def _clock(instant: datetime, day: date) -> str:
    """Write HH:MM of that day; its end is 24:00."""
    return "24:00" if instant.date() == day + ONE_DAY else f"{instant:%H:%M}"
