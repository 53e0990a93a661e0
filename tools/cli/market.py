"""`kite-relay market`: is there a session on a date, why, and what happens at which minute."""

import json
from datetime import UTC, date, datetime
from typing import Annotated, Any

import typer

from kite_relay.adapters.calendar import CalendarSource, load_calendar
from kite_relay.domain.errors import KiteRelayError
from kite_relay.domain.market import SEGMENTS, Calendar
from kite_relay.domain.market_report import describe_day, describe_now
from kite_relay.domain.token import IST
from tools.cli import place

app = typer.Typer(add_completion=False)


def parse_date(text: str) -> date:
    """Read a date as a person types it: YYYY-MM-DD, or today."""
    if text == "today":
        return datetime.now(UTC).astimezone(IST).date()
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no date like 2026-11-24") from error


def _segments(wanted: list[str]) -> list[str]:
    if unknown := set(wanted) - set(SEGMENTS):
        raise typer.BadParameter(f"no such segment: {unknown.pop()!r}; there are {', '.join(SEGMENTS)}")
    return wanted or list(SEGMENTS)


def _calendar(now: datetime) -> tuple[Calendar, str]:
    """Give the calendar, and whether the operator's overrides are in it: they are where the settings are."""
    if not place.is_named():
        return load_calendar(), "not looked at: no stack and no file is named here (STACK_NAME, ENV_FILE)"
    from tools.cli import settings  # noqa: PLC0415 - botocore costs 200 ms, and is not always needed

    try:
        source = CalendarSource(settings.stored().parameters())
    except KiteRelayError as error:
        return load_calendar(), f"not looked at: {error}"
    calendar = source.current(now)
    return calendar, source.problem or f"{len(calendar.overrides)} in force"


@app.command()
def market(
    day: Annotated[str, typer.Argument(metavar="DATE", help="The date, like 2026-11-24.")] = "today",
    *,
    segment: Annotated[
        list[str] | None, typer.Option("--segment", "-s", help="Only this one; may be given more than once.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")] = False,
) -> None:
    """Tell whether there is a session on a date, why, and each segment's schedule (India's time)."""
    wanted, now = parse_date(day), datetime.now(UTC)
    calendar, overrides = _calendar(now)
    segments = _segments(segment or [])
    facts = describe_day(calendar, wanted, segments) | {"overrides": overrides}
    if wanted == now.astimezone(IST).date():
        facts["now"] = describe_now(calendar, now, segments)
    typer.echo(json.dumps(facts, indent=2) if as_json else _render(facts))


def _render(facts: dict[str, Any]) -> str:
    session = {True: "a session", False: "no session", None: "UNKNOWN"}[facts["is_trading_day"]]
    lines = [f"{facts['date']} {facts['weekday']}: {session} - {facts['reason']}"]
    if facts["settlement_holiday"]:
        lines.append("  clearing is closed (settlement holiday); trading goes on")
    lines += [f"  source: {facts['source']} ({facts['confidence']})"]
    for name, segment in facts["segments"].items():
        note = f": {segment['note']}" if segment["note"] else ""
        lines.append(f"  {name} ({segment['confidence']}){note}")
        lines += [_session(it) for it in segment["sessions"]]
    for name, phase in facts.get("now", {}).items():
        until = f" until {phase['until'][:16].replace('T', ' ')}" if phase["until"] else ""
        lines.append(f"  now: {name:<12} {phase['status']} ({phase['sub_phase']}){until}")
    lines.append(f"  next session: {facts['next_trading_day'] or 'UNKNOWN'}; data through {facts['valid_through']}")
    lines.append(f"  overrides: {facts['overrides']}")
    return "\n".join(lines)


def _session(it: dict[str, Any]) -> str:
    early = " (may end at any moment of it)" if it["window"] else ""
    return f"    {it['start']}-{it['end']}  {it['status']:<15} {it['sub_phase']}{early}"
