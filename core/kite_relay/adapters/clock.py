"""The machine's clocks."""

import time
from datetime import UTC, datetime


class SystemClock:
    """Tells the machine's time."""

    def now(self) -> datetime:
        """Tell the wall time."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Tell seconds since an arbitrary start."""
        return time.monotonic()
