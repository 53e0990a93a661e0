"""Stories of the feed with the official KiteTicker against the simulator, on one loop.

Run as a process: the reactor that KiteTicker lives on can be installed once in a process's life.

`python feed_scenarios.py NAME` prints one JSON line.
"""

import asyncio
import json
import os
import random
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kite_relay.adapters.clock import SystemClock
from kite_relay.domain.errors import LimitExceededError
from kite_relay.domain.handover_types import Limits
from kite_relay.domain.ticks import Mode
from kite_relay.domain.token import AccessToken
from tests.fakes.kite_lines import Recorder
from tests.fakes.tls import make_certificate, tls_door
from tools.simulator import Simulator
from tools.simulator.catalog import NSE
from tools.simulator.packets import Tally
from tools.simulator.server import API_KEY
from worker.feed import Feed
from worker.upstream import KiteUpstream, install_reactor, release_reactor

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


class Stage:
    """A simulator and a feed that dials it."""

    def __init__(self, sim: Simulator, root: str | None = None) -> None:
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
            limits=Limits(liveness=2.0),
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


async def moves(sim: Simulator) -> dict[str, Any]:
    """Ten logins while ticks flow, 100 ms of network, the old socket survives."""
    stage = Stage(sim)
    stage.want(100, Mode.FULL)
    await stage.start()
    sim.delay(handshake_ms=100)
    for _ in range(10):
        stage.mint()
        await stage.settle()
        sim.order()
    await asyncio.sleep(0.2)
    await stage.end()
    orders = [text for text in stage.ear.texts if '"order"' in text]
    return stage.result() | {"orders": len(orders), "distinct_orders": len(set(orders))}


async def index_packets(sim: Simulator) -> dict[str, Any]:
    """The same in the shortest mode: packets without time, volume or number."""
    stage = Stage(sim)
    stage.want(100, Mode.LTP)
    await stage.start()
    sim.delay(handshake_ms=100)
    for _ in range(10):
        stage.mint()
        await stage.settle()
    await stage.end()
    return stage.result()


async def killed(sim: Simulator) -> dict[str, Any]:
    """Kite kills the old socket as the new token is minted."""
    sim.old_socket("dies")
    stage = Stage(sim)
    stage.want(100, Mode.FULL)
    await stage.start()
    for _ in range(3):
        stage.mint()
        await asyncio.sleep(0.1)
        await stage.settle()
    await stage.end()
    return stage.result()


async def three_lanes(sim: Simulator) -> dict[str, Any]:
    """7000 instruments on three connections: no spare, one lane after the other."""
    sim.pace(0.5, 5.0)
    stage = Stage(sim)
    tokens = stage.want(7000)
    await stage.start()
    await stage.until(lambda: len(stage.ear.tokens) == len(tokens))
    stage.mint()
    await stage.settle()
    stage.ear.tokens.clear()
    await stage.until(lambda: len(stage.ear.tokens) == len(tokens))
    sim.order()
    await asyncio.sleep(0.3)
    orders = [text for text in stage.ear.texts if '"order"' in text]
    await stage.end()
    return stage.result() | {"orders": len(orders)}


async def rebalance(sim: Simulator) -> dict[str, Any]:
    """One of two clients leaves: what is left moves to one connection; then someone asks for more than Kite carries."""
    sim.pace(2.0, 10.0)
    stage = Stage(sim)
    tokens = [token for token in sim.market.catalog.by_token if token & 0xFF == NSE][:3200]
    kept = dict.fromkeys(tokens[2800:], Mode.FULL)
    stage.feed.bus.want("leaves", dict.fromkeys(tokens[:2800], Mode.FULL))
    stage.feed.bus.want("stays", kept)
    await stage.start()
    await stage.until(lambda: len(stage.ear.tokens) == len(tokens))
    before = [each["socket"] for each in sim.state()["sockets"]]
    sim.lag(300, socket=min(before))  # the one that they move to is later than the one that they leave
    await asyncio.sleep(1.0)
    stage.ear.tally = Tally()
    stage.feed.bus.want("leaves", {})
    await stage.until(lambda: len(sim.state()["sockets"]) == 1 and stage.feed.state.lanes == 1)
    refused = False
    try:
        stage.feed.bus.want("greedy", dict.fromkeys(range(9000), Mode.LTP))
    except LimitExceededError:
        refused = True
    await asyncio.sleep(0.3)
    stage.ear.tokens.clear()
    await stage.until(lambda: stage.ear.tokens == kept.keys())
    carried = [each["instruments"] for each in sim.state()["sockets"]]
    await stage.end()
    return stage.result() | {"sockets_before": len(before), "carried": carried, "refused": refused}


async def certificates(sim: Simulator) -> dict[str, Any]:
    """Over TLS: from a server whose certificate the system knows, and from one that it does not."""
    with TemporaryDirectory() as folder:
        known, unknown = (make_certificate(Path(folder), name) for name in ("known", "unknown"))
        os.environ["SSL_CERT_FILE"] = str(known)
        async with tls_door(known, sim.port) as port, tls_door(unknown, sim.port) as false_port:
            stage = Stage(sim, f"wss://localhost:{port}/ticker")
            stage.want(10, Mode.FULL)
            await stage.start()
            stage.mint()
            await stage.settle()
            deceived = Stage(sim, f"wss://localhost:{false_port}/ticker")
            deceived.want(10)
            deceived.mint()
            await deceived.until(lambda: deceived.feed.take_dials()["failed"] > 0)
            opened = len(sim.state()["sockets"]) - 1
            await deceived.end()
            await stage.end()
    return stage.result() | {"deceived": opened}


async def half_open(sim: Simulator) -> dict[str, Any]:
    """The cable is pulled: no byte more, and no end of the connection either."""
    stage = Stage(sim)
    stage.want(10)
    await stage.start()
    loop = asyncio.get_running_loop()
    began = loop.time()
    sim.blackhole()
    await stage.until(lambda: any(args[0].what == "silent" for args in stage.ear.named("on_report")))
    found = loop.time() - began
    sim.calm()
    await stage.settle()
    await stage.end()
    return stage.result() | {"found_after": found, "recovered_after": loop.time() - began}


async def rejected(sim: Simulator) -> dict[str, Any]:
    """A dead token: one attempt, the old socket flows on; the next good one is taken."""
    stage = Stage(sim)
    stage.want(50)
    await stage.start()
    sim.refuse(403)
    stage.mint()
    await stage.until(lambda: stage.feed.state.rejected)
    await asyncio.sleep(1.0)
    refused = sum(dial["result"] == "403" for dial in sim.state()["dials"])
    sim.calm()
    stage.mint()
    await stage.settle()
    await stage.end()
    return stage.result() | {"refused_dials": refused}


async def malformed(sim: Simulator) -> dict[str, Any]:
    """Everything that no client expects; the feed lives, and flows at the end."""
    stage = Stage(sim)
    stage.want(10)
    await stage.start()
    kept = {}
    for kind in ("truncated", "count", "length", "one-byte", "text", "list", "huge", "utf8", "opcode"):
        before = set(stage.feed.links)
        sim.malformed(kind)
        await asyncio.sleep(0.3)
        await stage.until(lambda: stage.feed.live)
        kept[kind] = set(stage.feed.links) == before
    await stage.end()
    return stage.result() | {"kept": kept}


SCENARIOS: dict[str, Callable[[Simulator], Awaitable[dict[str, Any]]]] = {
    each.__name__: each
    for each in (moves, index_packets, killed, three_lanes, rebalance, certificates, half_open, rejected, malformed)
}


async def main(name: str) -> None:
    """Play one story."""
    install_reactor()
    async with Simulator(updates=20, frames=20) as sim:
        result = await SCENARIOS[name](sim)
    release_reactor()
    print(json.dumps(result))  # noqa: T201 - the test reads it


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
