"""What the worker says of itself: on the status board every few seconds and at every change, and to /readyz."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from kite_relay import __version__
from kite_relay.domain.records import Heartbeat
from kite_relay.domain.status_words import span
from kite_relay.domain.status_worker import SKEW_WARNING
from kite_relay.ports import Clock
from worker.circuit import Circuit
from worker.desk import Desk
from worker.feed import Feed
from worker.metrics import Metrics
from worker.reporter import Reporter

Findings = list[dict[str, Any]]


class Heart:
    """Beats.

    Args:
        feed: what is told of.
        desk: writes to the board.
        clock: the two clocks.
        metrics: kept in step.
        circuits: the services that may be down.
        reporter: knows what Kite said.
        seconds: the longest time between two beats.
    """

    def __init__(
        self,
        *,
        feed: Feed,
        desk: Desk,
        clock: Clock,
        metrics: Metrics,
        circuits: Sequence[Circuit],
        reporter: Reporter,
        seconds: float,
    ) -> None:
        self.clients: Callable[[], Findings] = list
        """Tells who is connected to the relay; set by the composition root."""
        self.others: list[Callable[[], Findings]] = []
        """Others who know of findings; set by the composition root."""
        self.redis: Callable[[], str] = lambda: "not_configured"
        """Tells how Redis is; set by the composition root."""
        self.skew: Callable[[], float | None] = lambda: None
        """Tells our clock minus Kite's or AWS's, in seconds; None: not measured yet. Set by the composition root."""
        self._feed = feed
        self._desk = desk
        self._clock = clock
        self._metrics = metrics
        self._circuits = circuits
        self._reporter = reporter
        self._seconds = seconds
        self._started_at = clock.now()
        self._since: dict[str, datetime] = {}
        self._changed = asyncio.Event()

    def change(self) -> None:
        """Beat soon."""
        self._changed.set()

    async def run(self) -> None:
        """Beat for ever."""
        while True:
            self._changed.clear()
            self.beat()
            try:
                async with asyncio.timeout(self._seconds):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def beat(self) -> None:
        """Beat once."""
        self._desk.put(Heartbeat.KEY, self.heartbeat().to_item())

    def heartbeat(self) -> Heartbeat:
        """Tell how the worker is now."""
        links = self._feed.open_links
        heard = max((link.heard for link in links), default=None)
        opened = [link.opened_at for link in links if link.opened_at]
        return Heartbeat(
            heartbeat_at=self._clock.now(),
            started_at=self._started_at,
            version=__version__,
            generation=self._generation(),
            connected=self._feed.connected,
            connected_at=max(opened, default=None),
            last_frame_at=self._wall(heard),
            last_tick_at=self._wall(self._feed.last_tick),
            subscriptions=len(self._feed.subscriptions.modes),
            clients=self.clients(),
            redis=self.redis(),
            clock_skew_seconds=self.skew(),
            findings=self.findings(),
        )

    def findings(self) -> Findings:
        """Tell what is wrong now, each since when."""
        found = dict(self._own_findings())
        now = self._clock.now()
        self._since = {code: self._since.get(code, now) for code in found}
        own = [
            {"code": code, "since": self._since[code].isoformat(), "detail": detail} for code, detail in found.items()
        ]
        down = [
            {"code": down.code, "since": down.since.isoformat(), "detail": down.detail}
            for circuit in self._circuits
            if (down := circuit.down) is not None
        ]
        return [*own, *down, *(each for other in self.others for each in other())]

    def unready(self) -> Findings:
        """Tell why clients cannot be served now; empty when they can.

        A feed that is connected and silent does not count: clients get what there is, and another worker would get no
        more. It is a finding, as everything else is that hurts no client.
        """
        feed = self._feed
        if feed.token is None or not feed.token.usable:
            return [{"code": "token_missing", "detail": "no access token is known: log in"}]
        if feed.state.rejected and not feed.connected:
            return [{"code": "token_rejected", "detail": "Kite rejects the access token: log in"}]
        if not feed.connected:
            return [{"code": "feed_down", "detail": "not connected to Kite yet"}]
        return []

    def measure(self) -> None:
        """Bring the metrics into step."""
        self._metrics.tasks.set(len(asyncio.all_tasks()))
        links = self._feed.open_links
        self._metrics.connected.set(len(links))
        if (heard := self._wall(max((link.heard for link in links), default=None))) is not None:
            self._metrics.last_frame.set(heard.timestamp())
        if (ticked := self._wall(self._feed.last_tick)) is not None:
            self._metrics.last_tick.set(ticked.timestamp())
        if (skew := self.skew()) is not None:
            self._metrics.clock_skew.set(skew)
        for outcome, count in self._feed.take_dials().items():
            self._metrics.dials.labels(outcome).inc(count)
        for segment, count in self._feed.take_ticks().items():
            self._metrics.ticks.labels(segment).inc(count)

    def _generation(self) -> int:
        """The generation that flows; with nothing open, the newest one known."""
        running = [link.token.generation for link in self._feed.open_links]
        if running:
            return min(running)
        return self._feed.token.generation if self._feed.token else 0

    def _own_findings(self) -> list[tuple[str, str]]:
        found = []
        if abs(skew := self.skew() or 0.0) > SKEW_WARNING:
            found.append(("clock_skew", span(timedelta(seconds=abs(skew)))))
        if self._feed.mute:
            found.append(("feed_mute", "Kite accepts the connection and the subscriptions, but delivers nothing"))
        if self._reporter.forbidden:
            found.append(
                (
                    "feed_forbidden",
                    "Kite knows the token, but refuses market data: check the app's plan (Connect, paid)",
                )
            )
        return found

    def _wall(self, monotonic: float | None) -> datetime | None:
        if monotonic is None:
            return None
        return self._clock.now() - timedelta(seconds=self._clock.monotonic() - monotonic)
