"""A relay process of its own: `python -m worker.relay_main` with REDIS_URL. Any number of them may run."""

import asyncio
import contextlib
import os
import secrets
import signal
import sys
from typing import Any, Self

import structlog
from prometheus_client import CollectorRegistry, generate_latest

from kite_relay.config import worker_deployable
from kite_relay.domain.errors import ConfigurationError, KiteRelayError
from kite_relay.domain.records import TicketKey
from kite_relay.logging import scrubber
from kite_relay.ports import Clock, Parameters, StatusBoard
from worker.bus import Bus
from worker.collectors import RelayCollector
from worker.instruments import fetch_list
from worker.logs import configure
from worker.relay import Relay
from worker.relay_find import Directory
from worker.relay_settings import RelaySettings
from worker.settings import Settings, load
from worker.stream import Reader, connect, ticket_claim
from worker.stream_wants import WantsTeller
from worker.tasks import begun_anew
from worker.web import Web

CONFIGURATION_EXIT = 5
TICKET_KEY_EVERY = 5.0
WEB_PORTS = 16
"""How many relay processes of one machine find a port for their pages, from WEB_PORT on."""

log = structlog.get_logger(__name__)


class RelayProcess:
    """A relay on a stream. Use as `async with`.

    Args:
        redis_url: where the stream is.
        settings: the relay's limits and timings.
        parameters: where the relay keys stand.
        board: where the worker puts its ticket key.
        clock: the time.
        directory: what names mean; without one nobody can ask.
    """

    def __init__(
        self,
        redis_url: str,
        settings: RelaySettings,
        parameters: Parameters,
        board: StatusBoard,
        clock: Clock,
        directory: Directory | None = None,
    ) -> None:
        self._redis = connect(redis_url)
        owner = f"relay:{secrets.token_hex(8)}"
        self._teller = WantsTeller(self._redis, owner, lambda: self.relay)
        bus = Bus(self._teller.set_wants)
        claim = ticket_claim(self._redis)
        self.relay = Relay(bus, parameters, settings, clock, owner=owner, claim=claim, directory=directory)
        self.reader = Reader(self._redis, bus, self._refused)
        self._owner = owner
        self._board = board
        self._tasks: list[asyncio.Task[None]] = []

    def _refused(self, owner: str, sentence: str) -> None:
        if owner == self._owner:
            self.relay.refuse(sentence)

    def unready(self) -> list[dict[str, Any]]:
        """Tell why clients get no ticks; empty when they do."""
        if self.reader.state == "connected":
            return []
        return [{"code": "redis_unreachable", "detail": "Redis does not answer; clients stay connected"}]

    async def __aenter__(self) -> Self:
        runs = (self.reader.run, self._teller.run, self._keep_ticket_key)
        self._tasks = [asyncio.create_task(begun_anew(run)) for run in runs]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.reader.caught_up.wait(), 5)
        await self.relay.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.relay.stop()
        await self._teller.leave()
        await self._redis.aclose()

    async def _keep_ticket_key(self) -> None:
        """Follow the worker's ticket key: every start makes a new one."""
        while True:
            with contextlib.suppress(KiteRelayError):
                items = await asyncio.to_thread(self._board.get, [TicketKey.KEY])
                record = TicketKey.from_item(items.get(TicketKey.KEY))
                if record and record.key:
                    scrubber.learn(record.key)
                    self.relay.use_ticket_key(record)
            await asyncio.sleep(TICKET_KEY_EVERY)


def pages(process: RelayProcess, settings: Settings) -> Web:
    """Give the process's health and metrics."""
    registry = CollectorRegistry()
    registry.register(RelayCollector(process.relay.stats, process.relay.clients))
    return Web(
        settings.web_host,
        settings.web_port,
        reasons=process.unready,
        findings=process.relay.findings,
        render=lambda: generate_latest(registry),
        ports=WEB_PORTS,
    )


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or Ctrl-C.

    Raises:
        ConfigurationError: there is no REDIS_URL.
    """
    if not settings.redis_url:
        raise ConfigurationError("REDIS_URL must be set: a relay process gets its ticks through Redis")
    stopped = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stopped.set)
    ports = worker_deployable(os.environ)
    relay_settings = RelaySettings(
        host=settings.relay_host,
        port=settings.relay_port,
        share_port=True,
        window=settings.relay_window,
        origins=frozenset(settings.dashboard_origins),
    )
    url = settings.redis_url.get_secret_value()
    directory = Directory(lambda: fetch_list(settings.kite_api_root), settings.instruments, ports.clock)
    async with RelayProcess(url, relay_settings, ports.parameters, ports.board, ports.clock, directory) as process:
        web = pages(process, settings)
        log.info("listening", relay_port=process.relay.port, web_port=await web.start())
        await stopped.wait()
        await web.stop()


def main() -> None:
    """Run a relay process."""
    try:
        settings = load()
        configure(settings.log_level)
        asyncio.run(serve(settings))
    except ConfigurationError as error:
        print(f"kite-relay relay: {error}", file=sys.stderr)  # noqa: T201 - before any log is configured
        sys.exit(CONFIGURATION_EXIT)


if __name__ == "__main__":
    main()
