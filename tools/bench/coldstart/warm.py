"""The handler's own time: `/api/token-status` over real stores (a file and SQLite), without what these take."""

import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from functions.status.app import answer
from functions.status.routes import build
from functions.status.services import Services, from_environment
from kite_relay import __version__
from kite_relay.adapters.clock import SystemClock
from kite_relay.domain.records import Heartbeat, TokenCheck, TokenRecord
from kite_relay.usecases.report_status import GLANCE_SECONDS, Sources

REQUESTS = 2000
EVENT: dict[str, Any] = {
    "version": "2.0",
    "rawPath": "/api/token-status",
    "headers": {"host": "kite.example"},
    "requestContext": {
        "domainName": "kite.example",
        "stage": "$default",
        "http": {"method": "GET", "path": "/api/token-status"},
    },
}


class Timed:
    """Stands before a port and adds up what its methods take."""

    spent = 0.0

    def __init__(self, port: Any) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        """Give the port's method, timed."""
        method = getattr(self._port, name)

        def timed(*args: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return method(*args, **named)
            finally:
                Timed.spent += time.perf_counter() - started

        return timed


class Patience(SystemClock):
    """A clock by which every request comes too late for what the last one read: the longest way is measured."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def monotonic(self) -> float:
        """Tell seconds of which each question takes more than one."""
        self._seconds += GLANCE_SECONDS + 0.1
        return self._seconds


def warm_milliseconds(requests: int = REQUESTS) -> dict[str, float]:
    """Ask again and again; gives percentiles of the time above the stores' own, and of the stores' own."""
    with tempfile.TemporaryDirectory() as folder:
        services = from_environment({"ENV_FILE": str(Path(folder) / ".env")})
        _fill(services.sources)
        ports = services.sources
        timed = Sources(Timed(ports.store), Timed(ports.parameters), Timed(ports.board), Patience(), ports.calendar)
        app = build(Services(timed, "", bytes))
        own, stores = [], []
        for _ in range(requests):
            Timed.spent, started = 0.0, time.perf_counter()
            found = answer(lambda: app, EVENT, None)
            took = time.perf_counter() - started
            own.append((took - Timed.spent) * 1e3)
            stores.append(Timed.spent * 1e3)
            if found["statusCode"] != 200:  # noqa: PLR2004 - HTTP's own number
                raise RuntimeError(f"the handler answered {found}")
    return {
        "p50": round(statistics.median(own), 3),
        "p95": round(statistics.quantiles(own, n=20)[-1], 3),
        "stores_p50": round(statistics.median(stores), 3),
    }


def _fill(ports: Sources) -> None:
    """Let there be a token and a worker: the longest way through the code."""
    now = datetime.now(UTC)
    generation = ports.store.write("t" * 32)
    records = (
        TokenRecord(generation, "AB1234", now, now, now, 32, "login"),
        TokenCheck(generation, now),
        Heartbeat(now, now, __version__, generation, True, now, now, now, 3),  # noqa: FBT003 - in the record's order
    )
    for record in records:
        ports.board.put(record.KEY, record.to_item())
