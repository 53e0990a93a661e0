"""The worker's metrics, by their published names. Instants are exported, never ages: an age lies once it is scraped."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from kite_relay.domain.ticks import Reason

PREFIX = "kite_relay"
SWAP_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """All metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.token_generation = self._gauge("token_generation", "The newest token generation the worker knows.")
        self.token_expiry = self._gauge(
            "token_expected_expiry_timestamp_seconds", "When the newest token is expected to die."
        )
        self.token_swaps = self._counter(
            "token_swaps_total", "Announced tokens, by what became of them.", "outcome", ("applied", "rejected")
        )
        self.swap_seconds = self._histogram("token_swap_seconds", "From a token being known to its first tick.")
        self.gap_seconds = self._histogram("swap_gap_seconds", "How long a lane was without any socket.")
        self.dials = self._counter(
            "upstream_dials_total", "Dials of Kite, by outcome.", "outcome", ("opened", "rejected", "failed")
        )
        self.connected = self._gauge("upstream_connected", "Open connections to Kite.")
        self.last_frame = self._gauge("last_frame_timestamp_seconds", "When the last byte came from Kite.")
        self.last_tick = self._gauge("last_tick_timestamp_seconds", "When the last packet came from Kite.")
        self.ticks = self._counter("ticks_total", "Packets passed on, by segment.", "segment")
        self.frames_rejected = self._counter(
            "frames_rejected_total", "Frames that Kite should not send.", "reason", (*Reason, "text")
        )
        self.inbox = self._counter(
            "inbox_messages_total", "Announcements, by outcome.", "outcome", ("done", "obsolete", "left", "malformed")
        )
        self.reconciled = self._gauge("reconcile_last_success_timestamp_seconds", "When the store was last read.")
        self.aws_errors = self._counter(
            "aws_errors_total", "Failed calls, by service.", "service", ("ssm", "sqs", "dynamodb")
        )
        self.clock_skew = self._gauge("clock_skew_seconds", "Our clock minus Kite's.")
        self.tasks = self._gauge("tasks", "Tasks of the event loop: a leak shows here first.")
        self.build = Info(f"{PREFIX}_build", "What runs.", registry=self.registry)

    def render(self) -> bytes:
        """Give the exposition text."""
        return generate_latest(self.registry)

    def _gauge(self, name: str, what: str) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", what, registry=self.registry)

    def _counter(self, name: str, what: str, label: str, known: Iterable[str] = ()) -> Counter:
        """Make a counter; what is `known` to come stands at 0 before it does: else Prometheus sees no increase to 1."""
        counter = Counter(f"{PREFIX}_{name}", what, [label], registry=self.registry)
        for value in known:
            counter.labels(value)
        return counter

    def _histogram(self, name: str, what: str) -> Histogram:
        return Histogram(f"{PREFIX}_{name}", what, registry=self.registry, buckets=SWAP_BUCKETS)
