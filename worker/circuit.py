"""A circuit per outside service: while it is down it is asked at most twice a minute, and its absence is a finding."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ParamSpec, TypeVar

from kite_relay.domain.errors import ConfigurationError, StoreUnavailableError, WillPassError
from kite_relay.ports import Clock, Parameter, Parameters

T = TypeVar("T")
P = ParamSpec("P")

RESTS = (1.0, 59.5, 31.0)
"""After the first failure in a row (a blip), the second, and every later one, in seconds: at most two calls in any
minute, and a service that is back is found within one."""


@dataclass(frozen=True, slots=True)
class Down:
    """A service that does not answer: since when, and what it said last."""

    service: str
    since: datetime
    detail: str


class Circuit:
    """Guards the calls to one service, from the loop and from threads.

    Args:
        service: its name, for findings and metrics.
        clock: the two clocks.
        on_error: told of every failed call.
        thread: runs a blocking call beside the loop.
    """

    def __init__(
        self,
        service: str,
        clock: Clock,
        on_error: Callable[[str], None] = lambda _: None,
        thread: Callable[[Callable[[], T]], Awaitable[T]] = asyncio.to_thread,
    ) -> None:
        self.service = service
        self._thread: Callable[[Callable[[], Any]], Awaitable[Any]] = thread
        self.down: Down | None = None
        """Set from the second failure in a row on: one alone is a blip."""
        self._failures = 0
        self._clock = clock
        self._on_error = on_error
        self._next_try = float("-inf")
        self._lock = threading.Lock()

    @property
    def rest(self) -> float:
        """How many seconds until the service may be asked again; 0 when it may be now."""
        return max(0.0, self._next_try - self._clock.monotonic()) if self._failures else 0.0

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the service in a thread, unless it is resting; raises what `run` raises."""
        self._check()
        result: T = await self._thread(lambda: self.run(function, *args, **kwargs))
        return result

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the service, unless it is resting.

        Raises:
            StoreUnavailableError: it is resting after an error.
            WillPassError: it did not answer.
            ConfigurationError: it refuses us.
        """
        with self._lock:
            self._check()
            if self._failures:
                self._next_try = self._clock.monotonic() + self._rest_after(self._failures)
        try:
            result = function(*args, **kwargs)
        except (WillPassError, ConfigurationError) as error:
            self._failed(error)
            raise
        self.down, self._failures = None, 0
        return result

    @staticmethod
    def _rest_after(failures: int) -> float:
        return RESTS[min(failures, len(RESTS)) - 1]

    def _check(self) -> None:
        if self.rest:
            raise StoreUnavailableError(f"{self.service} does not answer; it is asked again in {self.rest:.0f} s")

    def _failed(self, error: Exception) -> None:
        with self._lock:
            self._failures += 1
            self._next_try = self._clock.monotonic() + self._rest_after(self._failures)
            if self._failures > 1:
                since = self._clock.now() if self.down is None else self.down.since
                self.down = Down(self.service, since, str(error))
        self._on_error(self.service)


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
