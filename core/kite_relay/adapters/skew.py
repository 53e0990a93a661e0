"""How far this machine's clock is from the world's, by the `Date` of the answers that Kite and AWS give anyway."""

from collections.abc import Callable
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime

from kite_relay.ports import Clock

Heard = Callable[[str | None, float], None]
"""Told the `Date` of an answer, and how many seconds it took to come."""
QUICK_SECONDS = 2.0
"""An answer that took longer says too little of when its date was written."""
HALF_A_SECOND = timedelta(seconds=0.5)
"""The header has whole seconds: the middle of the one it names is at most this far off."""


class Skew:
    """Listens to answers. From any thread.

    Args:
        clock: the clock in question.
    """

    def __init__(self, clock: Clock) -> None:
        self.seconds: float | None = None
        """Our clock minus theirs, to a second or so; None: not known yet."""
        self._clock = clock

    def heard(self, date: str | None, waited: float) -> None:
        """Take an answer's `Date`, and how many seconds the answer took to come."""
        if not date or waited > QUICK_SECONDS:
            return
        try:
            theirs = parsedate_to_datetime(date)
        except ValueError:
            return
        ours = self._clock.now() - timedelta(seconds=waited / 2)
        self.seconds = round((ours - theirs.replace(tzinfo=UTC) - HALF_A_SECOND).total_seconds(), 1)
