"""The way of one token, read from the day's timeline on the status board."""

from dataclasses import dataclass
from datetime import UTC, datetime

from kite_relay.domain.records import timeline_key
from kite_relay.domain.token import IST, parse_instant
from tools.devstack.stack import DevStack


@dataclass(frozen=True, slots=True)
class Stage:
    """One entry: what happened, when (epoch seconds), to which generation."""

    what: str
    at: float
    generation: int


def stages(stack: DevStack, since: float) -> list[Stage]:
    """List what has happened since an instant, in the order of time; of each kind and generation the first."""
    key = timeline_key(datetime.now(UTC).astimezone(IST).date())
    entries = stack.board.get([key]).get(key, {}).get("entries", [])
    found: dict[tuple[str, int], Stage] = {}
    for entry in entries:
        at = parse_instant(entry["at"]).timestamp()
        if at >= since:
            stage = Stage(entry["what"], at, int(entry.get("generation") or 0))
            found.setdefault((stage.what, stage.generation), stage)
    return sorted(found.values(), key=lambda stage: stage.at)
