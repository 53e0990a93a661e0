"""The worker: all its parts put together, started in order and drained in reverse."""

import asyncio
import contextlib
import random
import secrets
import signal
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

import structlog

from kite_relay import __version__
from kite_relay.adapters.aws import READ_SECONDS
from kite_relay.adapters.calendar import MAX_AGE, CalendarSource
from kite_relay.adapters.kite_rest import KiteRest
from kite_relay.config import WorkerDeployable
from kite_relay.domain.errors import ConfigurationError, KiteRelayError, LimitExceededError
from kite_relay.domain.handover_types import Limits
from kite_relay.domain.records import TicketKey
from kite_relay.domain.ticks import Mode
from kite_relay.domain.token import AccessToken
from kite_relay.logging import scrubber
from kite_relay.ports import required
from worker.circuit import PATIENCE_SECONDS, Circuit, GuardedParameters
from worker.collectors import MarketCollector, RelayCollector
from worker.desk import Desk
from worker.feed import Feed
from worker.heartbeat import Heart
from worker.inbox import WAIT_SECONDS, InboxReader
from worker.instruments import Instruments, fetch_list
from worker.last_prices import LastPrices
from worker.metrics import Metrics
from worker.relay import Relay
from worker.relay_find import Directory
from worker.relay_settings import RelaySettings
from worker.reporter import Reporter
from worker.settings import Settings
from worker.state import StateFolder
from worker.stream_hub import Hub
from worker.tasks import begun_anew
from worker.token_watch import TokenWatch
from worker.upstream import KiteUpstream
from worker.web import Web

TICK_SECONDS = 0.25
SAVE_SECONDS = 10.0
RESOLVE_AGAIN_SECONDS = 60.0
RESOLVE_EVERY_SECONDS = 6 * 3600.0
DRAIN_SECONDS = 1.5
CALENDAR_SECONDS = MAX_AGE.total_seconds()
AFTER_THE_TOKEN_SECONDS = 5.0
POLL_SECONDS = WAIT_SECONDS + READ_SECONDS - 1.0
"""A poll that hangs is overdue just before its client gives it up, and need not fail twice to be a finding in time."""
SERVICES = {"ssm": PATIENCE_SECONDS, "sqs": POLL_SECONDS, "dynamodb": PATIENCE_SECONDS}
"""How long a call to each may take."""
FILES = {"env_file": PATIENCE_SECONDS, "env_file_watch": POLL_SECONDS, "board_file": PATIENCE_SECONDS}
"""What stands in their place in one-machine mode."""
ALWAYS = "always"
"""The owner of the instruments that are held whether anyone listens or not."""

T = TypeVar("T")
log = structlog.get_logger(__name__)


class Worker:
    """One worker; use as `async with`.

    Args:
        settings: what it was told.
        ports: what it works with.
    """

    def __init__(self, settings: Settings, ports: WorkerDeployable) -> None:
        clock = ports.clock
        self.settings = settings
        self.clock = clock
        self.skew = ports.skew
        self.metrics = Metrics()
        self.metrics.build.info({"version": __version__})
        roll = random.SystemRandom().random
        self.ssm, self.sqs, self.dynamodb = (
            Circuit(name, clock, self._aws_failed, patience=patience)
            for name, patience in (FILES if settings.env_file else SERVICES).items()
        )
        self.parameters = GuardedParameters(ports.parameters, self.ssm)
        self.upstream = KiteUpstream("", settings.kite_ticker_root)
        self.desk = Desk(ports.board, self.dynamodb, clock)
        kite = KiteRest(settings.kite_api_root, self.parameters, scrubber.learn, self.skew.heard)
        self.reporter = Reporter(self.desk, self.metrics, clock, kite, self._changed)
        self.feed = Feed(
            upstream=self.upstream,
            clock=clock,
            roll=roll,
            watcher=self.reporter,
            later=lambda seconds, call: asyncio.get_running_loop().call_later(seconds, call),
            limits=Limits(liveness=settings.liveness_seconds),
        )
        self.reporter.answer = self.feed.probed
        self.reporter.on_reject = self._forget_api_key
        self._missing: list[dict[str, Any]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._standing_by: asyncio.Task[None] | None = None
        self._watch_tokens(ports, roll)
        self._show()

    def _watch_tokens(self, ports: WorkerDeployable, roll: Callable[[], float]) -> None:
        """Put together what brings tokens in."""
        self.watch = TokenWatch(
            store=ports.tokens,
            circuit=self.ssm,
            clock=self.clock,
            seen=self._token_seen,
            roll=roll,
            interval=self.settings.reconcile_seconds,
        )
        self.inbox = InboxReader(
            inbox=ports.inbox,
            circuit=self.sqs,
            name=ports.tokens.name,
            look=self.watch.look,
            mover=self.feed,
            count=lambda outcome: self.metrics.inbox.labels(outcome).inc(),
        )

    def _show(self) -> None:
        """Put together what goes out: ticks, health, prices that survive."""
        settings, clock = self.settings, self.clock
        self.heart = Heart(
            feed=self.feed,
            desk=self.desk,
            clock=clock,
            metrics=self.metrics,
            circuits=(self.ssm, self.sqs, self.dynamodb),
            reporter=self.reporter,
            seconds=settings.heartbeat_seconds,
        )
        self.heart.skew = lambda: self.skew.seconds
        state = StateFolder(settings.state_dir, clock)
        self.prices = LastPrices(state, self.feed.bus.latest, clock)
        self.feed.recall = self.prices.recall
        self.instruments = Instruments(settings.kite_api_root, settings.instruments, state, self.skew.heard)
        self.web = Web(
            settings.web_host,
            settings.web_port,
            reasons=self._unready,
            findings=self.heart.findings,
            render=self._render,
            ages=self.prices.ages,
        )
        relay_settings = RelaySettings(
            host=settings.relay_host,
            port=settings.relay_port,
            window=settings.relay_window,
            origins=frozenset(settings.dashboard_origins),
        )
        directory = Directory(lambda: fetch_list(settings.kite_api_root), settings.instruments, clock)
        self.relay = Relay(self.feed.bus, self.parameters, relay_settings, clock, directory=directory)
        self.metrics.registry.register(RelayCollector(self.relay.stats, self.relay.clients))
        self.calendar = CalendarSource(self.parameters)
        self.metrics.registry.register(MarketCollector(self.calendar.standing, clock.now))
        self.hub = Hub(settings.redis_url.get_secret_value(), self.feed.bus, clock) if settings.redis_url else None
        self.heart.clients = lambda: [*self.relay.clients(), *(self.hub.clients() if self.hub else [])]
        if self.hub:
            self.desk.leads = self.hub.leads
            self.heart.redis = self.hub.state
            self.heart.others.append(self.hub.findings)
        self.heart.others += (self.relay.findings, state.findings, self.watch.findings, lambda: self._missing)

    async def __aenter__(self) -> Self:
        log.info("starting", version=__version__, restored=self.prices.restore())
        self._hold(dict(self.instruments.remembered()))
        web_port = await listening(self.web.start(), "WEB_PORT")
        if self.hub is None:
            await self._begin(web_port)
        else:
            self._standing_by = asyncio.create_task(self._stand_by(self.hub, web_port))
        return self

    async def _stand_by(self, hub: Hub, web_port: int) -> None:
        """Wait for the lease, then begin; a worker that loses it, or cannot begin, ends and comes back as a standby."""
        try:
            await hub.acquire()
            await self._begin(web_port)
            await hub.hold()
        except Exception:
            log.exception("the worker cannot hold the feed: it ends")
        signal.raise_signal(signal.SIGTERM)

    async def _begin(self, web_port: int) -> None:
        """Hold the feed from now on."""
        await listening(self.relay.start(), "RELAY_PORT")
        self._offer_tickets()
        log.info("listening", relay_port=self.relay.port, web_port=web_port)
        for work in (
            self.desk.run,
            self.heart.run,
            self._tick,
            self.watch.run,
            self.inbox.run,
            self._resolve,
            self._keep_prices,
            self._keep_calendar,
            *(self.hub.runs() if self.hub else ()),
        ):
            self._tasks.append(asyncio.create_task(begun_anew(work)))

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Drain: clients are told to come back (1012), prices saved, the last word goes to the board."""
        if self._standing_by:
            self._standing_by.cancel()
            await asyncio.gather(self._standing_by, return_exceptions=True)
        if self._tasks:
            await self._drain()
        if self.hub:
            await self.hub.close()
        await self.web.stop()
        log.info("stopped")

    async def _drain(self) -> None:
        desk, *others = self._tasks
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self.relay.stop()
        self.feed.stop()
        self.prices.write(self.prices.snapshot())
        if self.desk.leads():
            self.heart.beat()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.desk.drain(), DRAIN_SECONDS)
        desk.cancel()
        await asyncio.gather(desk, return_exceptions=True)

    # ---- the endless tasks ------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self.feed.tick()

    async def _keep_prices(self) -> None:
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            await asyncio.to_thread(self.prices.write, self.prices.snapshot())

    async def _keep_calendar(self) -> None:
        """Learn what an operator has declared, after what the feed needs: the metrics' market_live goes by it."""
        await asyncio.sleep(AFTER_THE_TOKEN_SECONDS)
        while True:
            await asyncio.to_thread(self.calendar.current, self.clock.now())
            await asyncio.sleep(CALENDAR_SECONDS)

    async def _resolve(self) -> None:
        """Learn the tokens of the instruments that are held always, again and again: contracts come and go."""
        while True:
            try:
                found = await asyncio.to_thread(self.instruments.fetch)
            except KiteRelayError as error:
                log.warning("the instruments were not resolved", error=str(error))
                await asyncio.sleep(RESOLVE_AGAIN_SECONDS)
                continue
            self._hold(dict(found.tokens))
            self._note_missing(found.problem)
            await asyncio.sleep(RESOLVE_EVERY_SECONDS)

    # ---- small things -----------------------------------------------------------------------------------------------

    async def _token_seen(self, token: AccessToken) -> None:
        if not self.upstream.api_key:
            self.upstream.api_key = await asyncio.to_thread(required, self.parameters, "api_key")
        self.feed.token_seen(token)

    def _forget_api_key(self) -> None:
        """Read the key anew before the next look: a token is rejected when the app's key was replaced, too."""
        self.upstream.api_key = ""

    def _hold(self, tokens: dict[str, int]) -> None:
        try:
            self.feed.bus.want(ALWAYS, dict.fromkeys(tokens.values(), Mode.FULL))
        except LimitExceededError as error:
            log.warning("the instruments to hold always do not fit", error=str(error))

    def _note_missing(self, problem: str) -> None:
        self._missing = []
        if problem:
            log.warning("instruments that Kite does not know", problem=problem)
            since = self.clock.now().isoformat()
            self._missing = [{"code": "instruments_unknown", "since": since, "detail": problem}]

    def _offer_tickets(self) -> None:
        record = TicketKey(f"kk_{secrets.token_urlsafe(32)}", self.clock.now())
        scrubber.learn(record.key)
        self.relay.use_ticket_key(record)
        self.desk.put(TicketKey.KEY, record.to_item())

    def _unready(self) -> list[dict[str, Any]]:
        if self.hub and not self._tasks:
            return [{"code": "standing_by", "detail": "another worker holds the feed; this one waits for its end"}]
        return self.heart.unready()

    def _render(self) -> bytes:
        self.heart.measure()
        if self.watch.last_success is not None:
            self.metrics.reconciled.set(self.watch.last_success)
        return self.metrics.render()

    def _aws_failed(self, service: str) -> None:
        self.metrics.aws_errors.labels(service).inc()

    def _changed(self) -> None:
        self.heart.change()


async def listening(start: Awaitable[T], variable: str) -> T:
    """Begin to listen.

    Args:
        start: begins.
        variable: the setting that would move it.

    Raises:
        ConfigurationError: the port is taken, or not ours to take.
    """
    try:
        return await start
    except OSError as error:
        raise ConfigurationError(f"{variable}: {error.strerror}") from error
