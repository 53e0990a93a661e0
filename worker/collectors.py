"""Metrics that are read where they are counted, at the scrape: the relay's clients, and whether the market is live."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from kite_relay.domain.market import SEGMENTS, Calendar, Status
from worker.metrics import PREFIX
from worker.relay import Stats
from worker.relay_settings import CloseCode

REFUSALS = (
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""Shown as 0 before the first comes, as the close codes are: else Prometheus sees no increase to 1."""


class RelayCollector(Collector):
    """Shows what the relay counts.

    Args:
        stats: the relay's counters.
        clients: tells the relay's clients as the heartbeat does.
    """

    def __init__(self, stats: Stats, clients: Callable[[], Sequence[Mapping[str, Any]]]) -> None:
        self._stats = stats
        self._clients = clients

    def collect(self) -> Iterator[Metric]:
        """Give the relay's metrics."""
        connections = sum(client["connections"] for client in self._clients())
        yield GaugeMetricFamily(f"{PREFIX}_clients", "Connected clients.", value=connections)
        closes = CounterMetricFamily(f"{PREFIX}_client_closes", "Ended connections, by close code.", labels=["code"])
        for code, count in {**dict.fromkeys(map(int, CloseCode), 0), **self._stats.closes}.items():
            closes.add_metric([str(int(code))], count)
        yield closes
        refused = CounterMetricFamily(
            f"{PREFIX}_client_refusals", "Refused handshakes, by HTTP status.", labels=["status"]
        )
        for status, count in {**dict.fromkeys(map(int, REFUSALS), 0), **self._stats.refused}.items():
            refused.add_metric([str(int(status))], count)
        yield refused
        yield CounterMetricFamily(
            f"{PREFIX}_conflated_ticks",
            "Ticks that a newer one replaced before a slow client took them.",
            value=self._stats.conflated,
        )
        yield SummaryMetricFamily(
            f"{PREFIX}_relay_fanout_seconds",
            "Time spent on passing a frame on to all clients.",
            count_value=self._stats.fanouts,
            sum_value=self._stats.fanout_seconds,
        )


class MarketCollector(Collector):
    """Shows whether each segment trades continuously, by the calendar that counts now: alerts on silence need it."""

    def __init__(self, calendar: Callable[[], Calendar], now: Callable[[], datetime]) -> None:
        self._calendar = calendar
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """Give the market's metrics."""
        now, calendar = self._now(), self._calendar()
        live = GaugeMetricFamily(
            f"{PREFIX}_market_live", "1 while a segment trades continuously, else 0.", labels=["segment"]
        )
        for segment in SEGMENTS:
            live.add_metric([segment], int(calendar.phase(segment, now).status is Status.LIVE))
        yield live
