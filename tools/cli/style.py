"""How the terminal is written: colour only where one looks, and never as the only signal."""

import os
import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TextIO

from kite_relay.domain.token import IST

TONES = {"good": "32", "warn": "33", "bad": "31", "soft": "2", "strong": "1", "accent": "36"}
SIGNS = {"good": "✓", "warn": "!", "bad": "✗", "soft": "·"}


def is_seen(stream: TextIO = sys.stdout) -> bool:
    """Tell whether a person reads this stream in colour: a terminal, and neither NO_COLOR nor a dumb one."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, tone: str, stream: TextIO = sys.stdout) -> str:
    """Colour a text, where colour is seen."""
    return f"\x1b[{TONES[tone]}m{text}\x1b[0m" if is_seen(stream) else text


def sign(tone: str) -> str:
    """Give the tone's sign, in its colour."""
    return paint(SIGNS[tone], tone)


def columns(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Write name and value beside each other."""
    pairs = list(rows)
    width = max((len(name) for name, _ in pairs), default=0)
    return [f"{paint(name.ljust(width), 'soft')}  {value}" for name, value in pairs]


def indian(value: float, decimals: int = 2) -> str:
    """Group digits as India does: 12,34,567.80."""
    whole, _, rest = f"{abs(value):.{decimals}f}".partition(".")
    head, tail = whole[:-3], whole[-3:]
    while len(head) > 2:  # noqa: PLR2004 - pairs of digits, as India groups
        head, tail = head[:-2], f"{head[-2:]},{tail}"
    grouped = f"{head},{tail}" if head else tail
    return f"{'-' if value < 0 else ''}{grouped}{'.' + rest if rest else ''}"


def ago(instant: datetime | None, now: datetime) -> str:
    """Say how long ago: "3 s ago", "never"."""
    return f"{span(now - instant)} ago" if instant else "never"


def span(length: timedelta) -> str:
    """Say how long: "42 s", "14 min", "2 h 14 min", "3 d 2 h"."""
    seconds = max(0, int(length.total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if not minutes:
        return f"{seconds} s"
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if not days else f"{days} d {hours % 24} h"


def moment(instant: datetime, now: datetime) -> str:
    """Say when, in India's time: "15:30", "tomorrow 09:15", "Mon 30 Nov 09:15"."""
    local, today = instant.astimezone(IST), now.astimezone(IST).date()
    days = (local.date() - today).days
    prefix = {0: "", 1: "tomorrow ", -1: "yesterday "}.get(days, f"{local:%a %-d %b} ")
    return f"{prefix}{local:%H:%M}"
