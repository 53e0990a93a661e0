"""The relay: Kite's ticker protocol for any number of clients, behind keys that never change."""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from websockets.http11 import Request

from kite_relay.domain.errors import KiteRelayError
from kite_relay.domain.records import TicketKey
from kite_relay.domain.relay_keys import PARAMETER, KeyRing, RelayKey
from kite_relay.ports import Clock, Parameters
from worker.bus import Bus, Packets
from worker.relay_client import Client
from worker.relay_desk import Desk
from worker.relay_door import Claim, Door, Guest, RefusedError
from worker.relay_fanout import Fanout, text_frame
from worker.relay_find import Directory, Finder
from worker.relay_messages import audience
from worker.relay_settings import CloseCode, RelaySettings
from worker.relay_strangers import Strangers

log = logging.getLogger("kite_relay.relay")

MAX_GATHERED = 3000
"""Packets that are gathered at most before they are written: a feed that catches up makes no endless messages."""


@dataclass(slots=True)
class Tally:
    """What is remembered of a key's clients: `dropped` and `conflated` since the relay started."""

    connections: int = 0
    connected_at: datetime | None = None
    dropped: int = 0
    conflated: int = 0


class Stats:
    """What the relay counts, for the metrics. All since its start."""

    def __init__(self) -> None:
        self.closes: Counter[int] = Counter()
        """Ended connections by close code, ours or the client's; 1006 is one that ended without."""
        self.refused: Counter[int] = Counter()
        """Refused handshakes by HTTP status."""
        self.conflated = 0
        """Ticks that a newer one replaced before a slow client took them."""
        self.fanout_seconds = 0.0
        """Time spent on passing frames on."""
        self.fanouts = 0
        """Frames passed on."""


class Relay:
    """Serves Kite's ticker protocol from what the bus passes on. Use as `async with`, or `start` and `stop`.

    Args:
        bus: where packets come from and wants go.
        parameters: where the relay keys stand (`relay_keys`); read at the start and every `key_refresh` seconds.
        settings: limits and timings.
        clock: the time.
        owner: the name under which this relay's wants are known on the bus.
        claim: how dashboard tickets are used up; by default this process remembers them.
        directory: what names mean; without one nobody can ask.
    """

    def __init__(
        self,
        bus: Bus,
        parameters: Parameters,
        settings: RelaySettings,
        clock: Clock,
        *,
        owner: str = "relay",
        claim: Claim | None = None,
        directory: Directory | None = None,
    ) -> None:
        self.settings = settings
        self.stats = Stats()
        self.port = settings.port
        self.fanout = Fanout()
        self._parameters = parameters
        self._clock = clock
        self._door = Door(settings, clock, claim, self._look_again)
        self._looked_again_at = float("-inf")
        self._desk = Desk(
            bus, self.fanout, settings.instruments_per_client, owner, Finder(directory) if directory else None
        )
        self._clients: set[Client] = set()
        self._strangers = Strangers(settings)
        self._tallies: dict[str, Tally] = {}
        self._server: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._flush_at: asyncio.Handle | None = None
        self._gathered = 0
        self._empty = asyncio.Event()
        self._findings: dict[str, dict[str, Any]] = {}
        bus.attach(self)

    # ---- life -------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def use_ticket_key(self, record: TicketKey) -> None:
        """Check dashboard tickets with this key from now on."""
        self._door.ticket_key = record

    async def start(self) -> None:
        """Read the keys and listen; unreadable keys do not stop the start, but nobody gets in without them."""
        await self.refresh_keys()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._greet,
            self.settings.host,
            self.settings.port,
            backlog=1024,
            reuse_address=True,
            reuse_port=self.settings.share_port or None,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._tasks = [loop.create_task(self._beat()), loop.create_task(self._watch_keys())]

    async def stop(self) -> None:
        """Tell every client to come back soon (1012), and end."""
        if self._server:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        for client in list(self._clients):
            client.close(CloseCode.RESTART, "the relay restarts")
        self._empty.clear()
        if self._clients:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), self.settings.close_timeout)
        for client in [*self._clients, *self._strangers]:
            client.transport.abort()
        if self._flush_at:
            self._flush_at.cancel()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self.settings.heartbeat)
            self.fanout.beat()

    async def _watch_keys(self) -> None:
        while True:
            await asyncio.sleep(self.settings.key_refresh)
            await self.refresh_keys()

    async def _look_again(self) -> None:
        """Read the keys for somebody whose key is not known; not more often than a guesser may make us."""
        now = self._clock.monotonic()
        if now >= self._looked_again_at + self.settings.look_again:
            self._looked_again_at = now
            await self.refresh_keys()

    async def refresh_keys(self) -> None:
        """Read the keys, and close the clients whose key is gone. Trouble keeps the keys as they were."""
        try:
            found = await asyncio.to_thread(self._parameters.read, PARAMETER)
            ring = KeyRing.parse(found.value if found else None)
        except KiteRelayError as error:
            log.warning("the relay keys cannot be read: %s", error)
            since = self._clock.now().isoformat()
            self._findings.setdefault("relay_keys", {"code": "relay_keys", "since": since, "detail": str(error)})
            return
        self._findings.pop("relay_keys", None)
        self._door.ring = ring
        by_hash = {key.sha256: key for key in ring.keys}
        for client in list(self._clients):
            self._recheck(client, by_hash)

    def _recheck(self, client: Client, by_hash: dict[str, RelayKey]) -> None:
        guest = client.guest
        if guest is None or not guest.sha256:
            return
        key = by_hash.get(guest.sha256)
        if key is None:
            client.close(CloseCode.AUTH, "the key was revoked")
        elif key.scopes != guest.scopes:
            client.close(CloseCode.AUTH, "the key's scopes were changed")

    # ---- what others ask --------------------------------------------------------------------------------------------

    def clients(self) -> list[dict[str, Any]]:
        """Tell who is connected, by the names of their keys: for the heartbeat."""
        return [
            {
                "name": name,
                "connections": tally.connections,
                "connected_at": tally.connected_at.isoformat() if tally.connected_at else None,
                "dropped": tally.dropped,
                "conflated": tally.conflated,
            }
            for name, tally in sorted(self._tallies.items())
            if tally.connections
        ]

    def findings(self) -> list[dict[str, Any]]:
        """Tell what the operator should know: {code, since, detail}."""
        guessing = self._door.lock.finding()
        return [*self._findings.values(), *([guessing] if guessing else [])]

    def refuse(self, sentence: str) -> None:
        """Take back what the feed, in another process, could not fulfil; each client that asked for it is told."""
        self._desk.take_back(list(self._clients), sentence)

    # ---- from the bus -----------------------------------------------------------------------------------------------

    def on_packets(self, packets: Packets) -> None:
        """Pass on the packets of one upstream frame, with the others that came together or within the window."""
        began = time.perf_counter()
        self.fanout.offer(packets)
        self._gathered += len(packets)
        self.stats.fanout_seconds += time.perf_counter() - began
        self.stats.fanouts += 1
        if self._gathered >= MAX_GATHERED:
            self._flush()
        elif self._flush_at is None:
            loop, window = asyncio.get_running_loop(), self.settings.window
            self._flush_at = loop.call_later(window, self._flush) if window else loop.call_soon(self._flush)

    def on_text(self, text: str) -> None:
        """Pass on one text frame of Kite's to those whom it is for."""
        scope = audience(text)
        if scope is None:
            return
        self._flush()  # a text overtakes no tick
        frame = text_frame(text)
        for client in list(self._clients):
            if client.may(scope):
                client.send_text(frame)

    def _flush(self) -> None:
        began = time.perf_counter()
        if self._flush_at:
            self._flush_at.cancel()
            self._flush_at = None
        self.fanout.flush()
        self._gathered = 0
        self.stats.fanout_seconds += time.perf_counter() - began

    # ---- from the clients -------------------------------------------------------------------------------------------

    def _greet(self) -> asyncio.Protocol:
        return Client(self)

    def arrived(self, client: Client) -> None:
        """Take a connection that has not shown a key yet; one too many pushes out the one that waits longest."""
        gone = self._strangers.add(client, client.peer)
        if gone:
            gone[0].refuse(gone[1])

    def refused(self, status: int) -> None:
        """Count somebody who was turned away before he had shown a key."""
        self.stats.refused[status] += 1

    async def admit(self, request: Request, peer: str) -> Guest:
        """Let a client in.

        Raises:
            RefusedError: no, and why.
        """
        try:
            return await self._door.admit(request, peer)
        except RefusedError as refusal:
            self.stats.refused[refusal.status] += 1
            raise

    def opened(self, client: Client) -> None:
        """Take a client whose handshake is done."""
        guest = client.guest
        if guest is None:
            return
        self._strangers.discard(client)
        self._clients.add(client)
        tally = self._tallies.setdefault(guest.name, Tally())
        tally.connections += 1
        if tally.connections == 1:
            tally.connected_at = self._clock.now()
        if guest.stray:
            client.close(CloseCode.ORIGIN, "this page is not in DASHBOARD_ORIGINS")
        elif tally.connections > self.settings.clients_per_key:
            self._turn_out(client, f"{self.settings.clients_per_key} connections per key")
        elif len(self._clients) > self.settings.clients:
            self._turn_out(client, f"{self.settings.clients} connections in all")
        else:
            self.fanout.place(client, client.modes)

    def _turn_out(self, client: Client, limit: str) -> None:
        client.error(f"limit: {limit}")
        client.close(CloseCode.LIMIT, limit)

    def heard(self, client: Client, text: str) -> None:
        """Take one message of a client."""
        self._desk.heard(client, text)

    def stuck(self, client: Client) -> None:
        """Stop writing to a client: it takes no bytes."""
        self.fanout.hold(client)

    def unstuck(self, client: Client) -> None:
        """Write to a client again."""
        self.fanout.release(client)

    def closing(self, client: Client) -> None:
        """Send a client nothing more, and want nothing for it: its closing handshake has begun."""
        self.fanout.remove(client)
        self._desk.forget(client)

    def conflated(self, client: Client, count: int) -> None:
        """Count ticks that a newer one replaced."""
        self.stats.conflated += count
        if client.guest:
            self._tallies[client.guest.name].conflated += count

    def gone(self, client: Client, code: int) -> None:
        """Forget a client; `code` says how it ended."""
        self._strangers.discard(client)
        self.fanout.remove(client)
        if client not in self._clients:
            return
        self._clients.discard(client)
        self.stats.closes[code] += 1
        if client.guest:
            tally = self._tallies[client.guest.name]
            tally.connections -= 1
            tally.dropped += code == CloseCode.SLOW
            log.info("client gone: name=%s code=%d", client.guest.name, code)
        self._desk.forget(client)
        if not self._clients:
            self._empty.set()
