"""Turns what the feed does into log lines, metrics, the day's timeline and the token's check on the board."""

import asyncio
from collections.abc import Callable

import structlog

from kite_relay.domain.errors import KiteRelayError, TokenRejectedError
from kite_relay.domain.handover_types import Report, What
from kite_relay.domain.records import TokenCheck
from kite_relay.domain.status_token import settled_at
from kite_relay.domain.token import AccessToken, expected_expiry
from kite_relay.ports import Clock, KiteSession
from worker.desk import Desk
from worker.metrics import Metrics

log = structlog.get_logger(__name__)

_TIMELINE = {
    What.ADOPTED: "received",
    What.REJECTED: "rejected",
    What.FORBIDDEN: "forbidden",
    What.SILENT: "silent",
    What.LOST: "lost",
}
_SWAPS = {What.REJECTED: "rejected", What.FORBIDDEN: "rejected"}


class Reporter:
    """The feed's watcher.

    Args:
        desk: writes to the board.
        metrics: the process's metrics.
        clock: the two clocks.
        kite: Kite's REST side, for probes.
        changed: called after every change that people should see at once.
    """

    def __init__(
        self, desk: Desk, metrics: Metrics, clock: Clock, kite: KiteSession, changed: Callable[[], None]
    ) -> None:
        self.answer: Callable[[AccessToken, bool | None], None] = lambda *_: None
        """Takes the answer of a probe; set by the composition root."""
        self.on_reject: Callable[[], None] = lambda: None
        """Called when Kite rejects the token; set by the composition root."""
        self.forbidden = False
        """Whether Kite's ticker refuses a token that its REST side knows."""
        self._desk = desk
        self._metrics = metrics
        self._clock = clock
        self._kite = kite
        self._changed = changed
        self._check = TokenCheck()
        self._probes: set[asyncio.Task[None]] = set()

    def on_report(self, report: Report) -> None:
        """Log, count and tell."""
        generation = report.token.generation
        log.info("handover", what=report.what.value, generation=generation, socket=report.socket, lane=report.lane)
        if report.what in _TIMELINE:
            self._desk.tell(_TIMELINE[report.what], generation=generation)
        if report.what in _SWAPS:
            self._metrics.token_swaps.labels(_SWAPS[report.what]).inc()
        self._note(report)
        self._changed()

    def on_dial(self, generation: int) -> None:
        """A dial begins."""
        log.info("dialling", step="dialled", generation=generation)
        self._desk.tell("dialled", generation=generation)

    def on_first_tick(self, generation: int, seconds: float) -> None:
        """The first packet on a generation came."""
        log.info("first tick", step="first_packet", generation=generation, seconds=round(seconds, 3))
        self._metrics.swap_seconds.observe(seconds)
        self._metrics.token_swaps.labels("applied").inc()
        self._desk.tell("first_tick", generation=generation, seconds=round(seconds, 3))
        self._changed()

    def on_promote(self, generation: int) -> None:
        """A lane moved to a new socket without a gap."""
        log.info("moved without a gap", step="promoted", generation=generation)
        self._metrics.gap_seconds.observe(0.0)

    def on_gap(self, generation: int, seconds: float) -> None:
        """A lane had no socket for so long."""
        log.warning("gap", generation=generation, seconds=round(seconds, 3))
        self._metrics.gap_seconds.observe(seconds)
        self._desk.tell("gap", generation=generation, seconds=round(seconds, 3))

    def on_probe(self, token: AccessToken) -> None:
        """Ask Kite's REST side about the token, in a task."""
        task = asyncio.create_task(self._probe(token))
        self._probes.add(task)
        task.add_done_callback(self._probes.discard)

    def on_rejected_frame(self, reason: str) -> None:
        """A frame of Kite's was not what Kite promises."""
        self._metrics.frames_rejected.labels(reason).inc()
        log.warning("a frame of Kite's was rejected", reason=reason)

    async def _probe(self, token: AccessToken) -> None:
        answer: bool | None
        try:
            await asyncio.to_thread(self._kite.profile, token.value)
            answer = True
        except TokenRejectedError:
            answer = False
        except KiteRelayError as error:
            log.warning("Kite was not asked about the token", error=str(error))
            answer = None
        self.answer(token, answer)

    def _note(self, report: Report) -> None:
        """Keep what Kite last said of the token, and put it on the board."""
        generation, now = report.token.generation, self._clock.now()
        match report.what:
            case What.ADOPTED:
                self.forbidden = False
                self._metrics.token_generation.set(generation)
                self._metrics.token_expiry.set(expected_expiry(report.token.written_at).timestamp())
                return
            case What.VERIFIED:
                self.forbidden = False
                if now >= settled_at(report.token.written_at):  # it outlived the morning: as the status forecasts
                    self._metrics.token_expiry.set(expected_expiry(now).timestamp())
                check = TokenCheck(generation, verified_at=now)
            case What.REJECTED:
                before = self._check.verified_at if self._check.generation == generation else None
                check = TokenCheck(generation, verified_at=before, rejected_at=now)
                self.on_reject()
            case What.FORBIDDEN:
                self.forbidden = True
                return
            case _:
                return
        self._check = check
        self._desk.put(TokenCheck.KEY, check.to_item())
