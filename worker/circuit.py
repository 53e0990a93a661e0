"""A circuit per outside service: while it is down it is asked at most twice a minute, and its absence is a finding."""

import asyncio
import functools
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ParamSpec, TypeVar

from kite_relay.domain.errors import AccessRefusedError, ConfigurationError, StoreUnavailableError, WillPassError
from kite_relay.ports import Clock, Parameter, Parameters

T = TypeVar("T")
P = ParamSpec("P")

RESTS = (1.0, 59.5, 31.0)
"""After the first failure in a row (a blip), the second, and every later one, in seconds: at most two calls in any
minute, and a service that is back is found within one."""
PATIENCE_SECONDS = 10.0
"""A call that takes longer is overdue: the service counts as down until one comes back in time."""


@dataclass(frozen=True, slots=True)
class Down:
    """A service that does not answer, or refuses us: the finding's code, since when, and what it said last."""

    code: str
    since: datetime
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class _Flight:
    """A call under way: when it began, on both clocks, and when it is overdue."""

    began: datetime
    overdue_at: float


class Circuit:
    """Guards the calls to one service, from the loop and from threads.

    Args:
        service: its name, for findings and metrics.
        clock: the two clocks.
        on_error: told of every failed call.
        thread: runs a blocking call beside the loop.
        patience: how many seconds a call may take.
    """

    def __init__(
        self,
        service: str,
        clock: Clock,
        on_error: Callable[[str], None] = lambda _: None,
        *,
        thread: Callable[[Callable[[], T]], Awaitable[T]] = asyncio.to_thread,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.service = service
        self._thread: Callable[[Callable[[], Any]], Awaitable[Any]] = thread
        self._patience = patience
        self._down: Down | None = None
        self._failures = 0
        self._clock = clock
        self._on_error = on_error
        self._next_try = float("-inf")
        self._flights: frozenset[_Flight] = frozenset()
        self._lock = threading.Lock()

    @property
    def rest(self) -> float:
        """How many seconds until the service may be asked again; 0 when it may be now."""
        return max(0.0, self._next_try - self._clock.monotonic()) if self._failures else 0.0

    @property
    def down(self) -> Down | None:
        """What is wrong: from the second failure in a row on (one alone is a blip), or while a call is overdue."""
        late = self._overdue()
        if self._down is None and late:
            return self._unreachable(late.began, f"no answer for {self._patience:.0f} seconds")
        return self._down

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the service in a thread, unless it is resting; raises what `run` raises.

        Whoever waits may be cancelled: the thread goes on, and counts until it is done.
        """
        task = asyncio.ensure_future(self._call(functools.partial(function, *args, **kwargs)))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(task)

    async def _call(self, function: Callable[[], T]) -> T:
        with self._flight():
            result: T = await self._thread(function)
        return result

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the service, unless it is resting.

        Raises:
            StoreUnavailableError: it is resting after an error, or has not answered the last call yet.
            WillPassError: it did not answer.
            ConfigurationError: it refuses us.
        """
        with self._flight():
            return function(*args, **kwargs)

    @contextmanager
    def _flight(self) -> Iterator[None]:
        """Stand around one call: it is let through or not, and its outcome is noted."""
        flight = self._begin()
        try:
            yield
        except (WillPassError, ConfigurationError) as error:
            self._failed(error, flight)
            raise
        else:
            self._answered(flight)
        finally:
            with self._lock:
                self._flights = self._flights - {flight}

    def _begin(self) -> _Flight:
        with self._lock:
            if rest := self.rest:
                raise StoreUnavailableError(f"{self.service} does not answer; it is asked again in {rest:.0f} s")
            if self._overdue():
                raise StoreUnavailableError(f"{self.service} has not answered the last call yet")
            now = self._clock.monotonic()
            if self._failures:  # others wait as if this one had failed already
                self._next_try = now + self._rest_after(self._failures + 1)
            flight = _Flight(self._clock.now(), now + self._patience)
            self._flights = self._flights | {flight}
            return flight

    def _overdue(self) -> _Flight | None:
        now = self._clock.monotonic()
        return next((flight for flight in self._flights if now > flight.overdue_at), None)

    @staticmethod
    def _rest_after(failures: int) -> float:
        return RESTS[min(failures, len(RESTS)) - 1]

    def _answered(self, flight: _Flight) -> None:
        with self._lock:
            self._failures = 0
            late = self._clock.monotonic() > flight.overdue_at
            self._down = self._unreachable(self._since(flight), "it answers, but too slowly") if late else None

    def _failed(self, error: Exception, flight: _Flight) -> None:
        with self._lock:
            now = self._clock.monotonic()
            self._failures += 1
            others = len(self._flights) - 1  # each of them is the next try already
            self._next_try = now + self._rest_after(self._failures + others)
            if self._failures > 1 or now > flight.overdue_at:
                code = error.finding if isinstance(error, AccessRefusedError) else f"{self.service}_unreachable"
                self._down = Down(code, self._since(flight), str(error))
        self._on_error(self.service)

    def _unreachable(self, began: datetime, detail: str) -> Down:
        return Down(f"{self.service}_unreachable", began, detail)

    def _since(self, flight: _Flight) -> datetime:
        return flight.began if self._down is None else self._down.since


class GuardedParameters:
    """Parameters behind a circuit: who reads them does not add to the calls to a dead service.

    Args:
        parameters: the real ones.
        circuit: the service's circuit.
    """

    def __init__(self, parameters: Parameters, circuit: Circuit) -> None:
        self._parameters = parameters
        self._circuit = circuit

    def read(self, name: str) -> Parameter | None:
        """Read one; None when it does not exist."""
        return self._circuit.run(self._parameters.read, name)

    def exists(self, name: str) -> bool:
        """Tell whether it stands there."""
        return self._circuit.run(self._parameters.exists, name)

    def write(self, name: str, value: str, *, secret: bool) -> int:
        """Write one; returns its new version."""
        return self._circuit.run(self._parameters.write, name, value, secret=secret)
