"""What an operator declares for a date before the data file knows it: a closure or a session announced tonight."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from kite_relay.domain.errors import MalformedError
from kite_relay.domain.market_data import NORMAL, Session, Sessions, parse_sessions
from kite_relay.domain.token import parse_instant


@dataclass(frozen=True, slots=True)
class Override:
    """What an operator declared for one date; it wins over the data.

    Args:
        name: what it is, for people.
        kind: ad_hoc for a closure; muhurat, budget, drill or special for a session.
        open: False for a closure; True for a session, whose times are `normal`, `sessions`, or not known.
        author: who declared it.
        at: when (aware).
    """

    date: date
    open: bool
    name: str
    kind: str
    normal: bool
    sessions: Mapping[str, Sessions] | None
    author: str
    at: datetime

    @property
    def times_known(self) -> bool:
        """Whether the day's hours are known; a closure has none to know."""
        return not self.open or self.normal or self.sessions is not None


def parse_overrides(text: str) -> dict[date, Override]:
    """Read the operator's document: {"overrides": [{date, open, name, kind, sessions, author, at}, ...]}.

    Raises:
        MalformedError: it is no such document; says which entry is wrong and why.
    """
    try:
        entries = [_override(entry) for entry in json.loads(text)["overrides"]]
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise MalformedError(f"market_overrides: {type(error).__name__}: {error}") from error
    found = {entry.date: entry for entry in entries}
    if len(found) != len(entries):
        raise MalformedError("market_overrides: a date stands twice")
    return found


def _override(entry: Mapping[str, Any]) -> Override:
    where = f"market_overrides: {entry['date']}"
    if type(entry["open"]) is not bool:
        raise MalformedError(f"{where}: 'open' must be true or false")
    texts = [entry["name"], entry["author"], entry["kind"]]
    if not all(isinstance(text, str) and text.strip() for text in texts):
        raise MalformedError(f"{where}: 'name', 'author' and 'kind' must be texts")
    sessions = entry.get("sessions")
    return Override(
        date.fromisoformat(entry["date"]), entry["open"], entry["name"], entry["kind"],
        sessions == NORMAL, parse_sessions(sessions, where), entry["author"], parse_instant(entry["at"]),
    )  # fmt: skip


def dump_overrides(overrides: Mapping[date, Override]) -> str:
    """Write the operator's document; `parse_overrides` reads it back."""
    return json.dumps({"overrides": [_entry(overrides[day]) for day in sorted(overrides)]}, separators=(",", ":"))


def _entry(override: Override) -> dict[str, Any]:
    sessions: Any = NORMAL if override.normal else None
    if override.sessions is not None:
        sessions = {segment: [_line(it) for it in rows] for segment, rows in override.sessions.items()}
    return {
        "date": override.date.isoformat(),
        "open": override.open,
        "name": override.name,
        "kind": override.kind,
        "sessions": sessions,
        "author": override.author,
        "at": override.at.isoformat(),
    }


def _line(session: Session) -> str:
    return f"{_clock(session.start)}-{_clock(session.end)} {session.status} {session.sub_phase}"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds % 3600 // 60:02}"
