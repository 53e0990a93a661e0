"""How times and days are said to a person: IST, and `tomorrow` rather than a date where that is enough."""

from datetime import datetime, timedelta

from kite_relay.domain.token import IST

A_WEEK = 7


def clock(instant: datetime) -> str:
    """Say a time of day: `9:15 AM`, as the next action has it."""
    return instant.astimezone(IST).strftime("%I:%M %p").lstrip("0")


def day(instant: datetime, now: datetime) -> str:
    """Say a day as seen from now: `today`, `tomorrow`, `Friday`, `Friday 4 December`."""
    that, today = instant.astimezone(IST).date(), now.astimezone(IST).date()
    away = (that - today).days
    if away in (-1, 0, 1):
        return ("yesterday", "today", "tomorrow")[away + 1]
    if 1 < away < A_WEEK:
        return f"{that:%A}"
    return f"{that:%A} {that.day} {that:%B}"


def moment(instant: datetime, now: datetime) -> str:
    """Say day and time: `tomorrow 9:15 AM`; today goes without saying."""
    word = day(instant, now)
    return clock(instant) if word == "today" else f"{word} {clock(instant)}"


def moment_ist(instant: datetime, now: datetime) -> str:
    """Say day and time as the page's clock shows it: `tomorrow 09:15 IST`; today goes without saying."""
    word, time = day(instant, now), f"{instant.astimezone(IST):%H:%M} IST"
    return time if word == "today" else f"{word} {time}"


def span(length: timedelta) -> str:
    """Say how long: `40 seconds`, `3 minutes`, `2 hours`, `5 days`."""
    seconds = max(0, round(length.total_seconds()))
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}s"
    return f"{seconds} seconds" if seconds != 1 else "1 second"
