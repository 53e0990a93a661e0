"""A clock that a test moves, and trouble on demand."""

from datetime import UTC, datetime, timedelta

MORNING = datetime(2026, 11, 25, 3, 15, tzinfo=UTC)
"""08:45 IST on a trading day (a Wednesday)."""


class FakeClock:
    """Stands still until a test moves it."""

    def __init__(self, start: datetime = MORNING) -> None:
        self._now = start
        self._monotonic = 1000.0

    def now(self) -> datetime:
        """Tell the wall time."""
        return self._now

    def monotonic(self) -> float:
        """Tell seconds since an arbitrary start."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass, on both clocks."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def jump(self, now: datetime) -> None:
        """Let time pass up to an instant; one that is past is a wall clock set back."""
        self._monotonic += abs((now - self._now).total_seconds())
        self._now = now

    def step_wall(self, seconds: float) -> None:
        """Correct the wall clock, as NTP does; the monotonic one does not notice."""
        self._now += timedelta(seconds=seconds)


class Fallible:
    """Base of the fakes: counts the calls of each method, and raises what a test sets.

    `trouble` is raised by every call until it is None again; `fail_next(method, error)` once.
    """

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.calls: dict[str, int] = {}
        self._once: dict[str, list[Exception]] = {}

    def fail_next(self, method: str, error: Exception) -> None:
        """Let the next call of a method raise."""
        self._once.setdefault(method, []).append(error)

    def _called(self, method: str) -> None:
        self.calls[method] = self.calls.get(method, 0) + 1
        if self._once.get(method):
            raise self._once[method].pop(0)
        if self.trouble:
            raise self.trouble
