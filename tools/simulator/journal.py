"""What happened, counted: how a test finds out how often it was asked and by whom. Never holds a token."""

from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any

KEPT = 500
"""How many of the latest dials the state shows."""


@dataclass(frozen=True, slots=True)
class Dial:
    """One attempt to open a ticker socket; `generation` is None when the token was never issued."""

    at: str
    result: str
    generation: int | None
    fingerprint: str | None
    socket: int | None


class Journal:
    """The counts since the start or the last reset."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.dials: deque[Dial] = deque(maxlen=KEPT)

    def count(self, what: str, by: int = 1) -> None:
        """Count something: `area.result`."""
        self.counts[what] += by

    def dialled(self, dial: Dial) -> None:
        """Note a dial."""
        self.dials.append(dial)
        self.count(f"dials.{dial.result}")

    def clear(self) -> None:
        """Start counting anew."""
        self.counts.clear()
        self.dials.clear()

    def summary(self) -> dict[str, Any]:
        """Give the counts, grouped by area, and the latest dials."""
        groups: dict[str, dict[str, int]] = {}
        for name, count in sorted(self.counts.items()):
            area, _, result = name.partition(".")
            groups.setdefault(area, {})[result] = count
        return {"counts": groups, "dials": [asdict(dial) for dial in self.dials]}
