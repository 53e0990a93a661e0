"""The simulator's clock: the wall's, and however far a test has put it forward."""

import time
from datetime import datetime, timedelta, timezone

IST = timezone(timedelta(hours=5, minutes=30), "IST")


class Clock:
    """Tells the time in India.

    Args:
        start: if given, the clock starts then and stands still between `advance` calls.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._frozen = start.timestamp() if start else None
        self._ahead = 0.0

    def epoch(self) -> float:
        """Tell the seconds since 1970."""
        return (time.time() if self._frozen is None else self._frozen) + self._ahead

    def now(self) -> datetime:
        """Tell the time (aware, IST)."""
        return datetime.fromtimestamp(self.epoch(), IST)

    def advance(self, seconds: float) -> None:
        """Put the clock forward."""
        self._ahead += seconds
