"""What the stories of the feed play on: a feed that dials a simulator, and clients of its relay, on one loop."""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from kite_relay.adapters.clock import SystemClock
from kite_relay.domain.handover_types import Limits
from kite_relay.domain.ticks import Mode
from kite_relay.domain.token import AccessToken
from tests.fakes.kite_lines import Recorder
from tools.simulator import Simulator
from tools.simulator.packets import Tally
from tools.simulator.server import API_KEY
from worker.feed import Feed
from worker.relay import Relay
from worker.upstream import KiteUpstream

LONG = 20.0


class Ear(Recorder):
    """Counts losses and duplicates of what the feed passes on."""

    def __init__(self) -> None:
        super().__init__()
        self.tally = Tally()
        self.tokens: set[int] = set()

    def on_packets(self, packets: Sequence[tuple[int, bytes]]) -> None:
        """Count packets of the bus."""
        for token, packet in packets:
            self.tally.packet(packet)
            self.tokens.add(token)


class Client:
    """The official client, at the relay: counts its ticks and keeps what it is told."""

    def __init__(self, relay: Relay, key: str, tokens: Sequence[int]) -> None:
        from kiteconnect import KiteTicker  # noqa: PLC0415 - after install_reactor

        self.tally = Tally()
        self.texts: list[str] = []
        self.closes = 0
        self.ticker = KiteTicker("client", key, root=f"ws://127.0.0.1:{relay.port}/")
        self.ticker.on_connect = lambda *_: self.ask(tokens)
        self.ticker.on_message = self._on_message
        self.ticker.on_close = self._on_close
        self.ticker.connect(threaded=True)

    def ask(self, tokens: Sequence[int]) -> None:
        """Subscribe to more."""
        self.ticker.set_mode("full", list(tokens))

    @property
    def errors(self) -> list[str]:
        """Tell what it was refused."""
        return [text["data"] for text in map(json.loads, self.texts) if text["type"] == "error"]

    def result(self) -> dict[str, Any]:
        """Give the counts."""
        tally = self.tally
        return {"errors": self.errors, "closes": self.closes, "lost": tally.lost, "duplicates": tally.duplicates}

    def _on_message(self, _: object, payload: bytes, is_binary: bool) -> None:
        if not is_binary:
            self.texts.append(payload.decode())
            return
        self.tally.message(payload)

    def _on_close(self, *_: object) -> None:
        self.closes += 1


class Stage:
    """A simulator and a feed that dials it."""

    def __init__(self, sim: Simulator, root: str | None = None, liveness: float = 2.0) -> None:
        self.sim = sim
        self.ear = Ear()
        self.most_sockets = 0
        self._generation = 0
        loop = asyncio.get_running_loop()
        self.feed = Feed(
            upstream=KiteUpstream(API_KEY, root or sim.ticker_root),
            clock=SystemClock(),
            roll=random.random,
            watcher=self.ear,
            later=loop.call_later,
            limits=Limits(liveness=liveness),
        )
        self.feed.bus.attach(self.ear)
        self._ticker = asyncio.ensure_future(self._tick())

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(0.05)
            self.feed.tick()
            self.most_sockets = max(self.most_sockets, len(self.sim.state()["sockets"]))

    def want(self, count: int, mode: Mode = Mode.QUOTE) -> list[int]:
        """Want so many of the simulator's instruments."""
        tokens = list(self.sim.market.catalog.by_token)[:count]
        self.feed.bus.want("test", dict.fromkeys(tokens, mode))
        return tokens

    def mint(self) -> AccessToken:
        """Log in: the new token goes to the feed, and Kite's REST side knows it."""
        self._generation += 1
        token = AccessToken(self.sim.mint()["access_token"], self._generation, datetime.now(UTC))
        self.feed.token_seen(token)
        self.feed.probed(token, answer=True)
        return token

    async def until(self, what: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(LONG):
            while not what():  # noqa: ASYNC110 - what is waited for is in the simulator, which has no events
                await asyncio.sleep(0.01)

    async def start(self) -> None:
        """Bring the first generation to life; the snapshots that begin it are not counted."""
        self.mint()
        await self.settle()
        await asyncio.sleep(0.3)
        self.ear.tally = Tally()

    async def settle(self) -> None:
        """Wait until every lane flows and no socket is left over."""
        await self.until(lambda: self.feed.live and len(self.feed.links) == self.feed.state.lanes)

    def result(self) -> dict[str, Any]:
        """Give the counts."""
        tally = self.ear.tally
        gaps = [args[1] for args in self.ear.named("on_gap")]
        return {
            "packets": tally.packets,
            "lost": tally.lost,
            "duplicates": tally.duplicates,
            "gaps": gaps,
            "most_sockets": self.most_sockets,
            "live": self.feed.live,
        }

    async def end(self) -> None:
        """Close everything."""
        self._ticker.cancel()
        self.feed.stop()
        await self.until(lambda: not self.feed.links)
