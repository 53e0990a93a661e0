"""Parse the schedule's event, wire, look once, and write the measurements where CloudWatch reads them."""

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from functions.log import ScrubbedLine
from kite_relay.domain.gauges import Gauges
from kite_relay.logging import install

from .wiring import Wired, wire

NAMESPACE = "kite-relay"
"""Where CloudWatch keeps our own metrics; `docs/metrics.md` explains each."""


logger = Logger(logger_formatter=ScrubbedLine())


@cache
def wired() -> Wired:
    """Wire once for each instance of the function."""
    return wire()


def publish(gauges: Gauges, failed_channels: int, stack: str) -> None:
    """Write the measurements as one line that CloudWatch turns into metrics (EMF): no right is needed for it."""
    metrics = Metrics(namespace=NAMESPACE)
    metrics.add_dimension("stack", stack)
    metrics.add_metric("HeartbeatMissing", MetricUnit.Count, gauges.heartbeat_missing)
    metrics.add_metric("TokenNeeded", MetricUnit.Count, gauges.token_needed)
    metrics.add_metric("CalendarDaysLeft", MetricUnit.Count, gauges.calendar_days_left)
    metrics.add_metric("NotificationFailures", MetricUnit.Count, failed_channels)
    metrics.flush_metrics()


def handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Look once. Every schedule comes here, and each look decides by the clock: a late or repeated one does no harm."""
    install()
    outcome = wired().remind()
    publish(outcome.gauges, len(outcome.failed), wired().stack)
    if outcome.told or outcome.failed:
        logger.info("told the operator", extra={"reasons": outcome.told, "failed_channels": outcome.failed})
    return {"told": outcome.told, "failed": outcome.failed}
