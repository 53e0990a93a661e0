"""Stories of the feed with the official KiteTicker against the simulator, on one loop.

Run as a process: the reactor that KiteTicker lives on can be installed once in a process's life.

`python feed_scenarios.py NAME` prints one JSON line.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kite_relay.adapters.clock import SystemClock
from kite_relay.domain.ticks import Mode
from tests.fakes.relay_world import HandParameters
from tests.fakes.tls import make_certificate, tls_door
from tests.integration.feed_stage import LONG, Client, Stage
from tools.simulator import Simulator
from tools.simulator.catalog import NSE
from tools.simulator.packets import Tally
from worker.relay import Relay
from worker.relay_settings import RelaySettings
from worker.upstream import install_reactor, release_reactor


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
        await _move_on(stage)
    await stage.end()
    return stage.result()


async def _move_on(stage: Stage) -> None:
    """Log in, and wait until what flows is another socket than before."""
    old = set(stage.feed.links)
    stage.mint()
    await stage.until(lambda: old.isdisjoint(stage.feed.links))
    await stage.settle()


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


async def full_house(sim: Simulator) -> dict[str, Any]:
    """All that Kite carries is wanted; a client of the relay asks for two more, then for an old one."""
    sim.pace(0.5, 5.0)
    stage = Stage(sim)
    tokens = list(sim.market.catalog.by_token)
    shares = [token for token in tokens if token & 0xFF == NSE][:100]
    others = [token for token in tokens if token not in shares]
    stage.feed.bus.want("others", dict.fromkeys(others[:8900], Mode.LTP))
    parameters = HandParameters()
    keys = [parameters.make(name) for name in ("steady", "greedy")]
    async with Relay(stage.feed.bus, parameters, RelaySettings(port=0), SystemClock()) as relay:
        steady = Client(relay, keys[0], shares)
        await stage.until(lambda: len(stage.feed.subscriptions.modes) == 9000)
        await stage.start()
        await stage.until(lambda: len(steady.tally.last) == len(shares))
        before = sim.state()["sockets"]
        steady.tally = Tally()
        greedy = Client(relay, keys[1], others[8900:8902])
        await stage.until(lambda: bool(greedy.errors))
        greedy.ask(shares[:1])
        await stage.until(lambda: greedy.tally.packets > 0 and steady.tally.packets > len(shares))
        after = sim.state()["sockets"]
        clients = {"steady": steady.result(), "greedy": greedy.result()}
        for each in (steady, greedy):
            each.ticker.stop_retry()
            each.ticker.close()
        await stage.end()
    sockets = [[(each["socket"], each["instruments"]) for each in state] for state in (before, after)]
    return stage.result() | {"clients": clients, "sockets": sockets}


async def late_target(sim: Simulator) -> dict[str, Any]:
    """The connection that instruments move to takes no word for a while: the one that they leave must carry them on."""
    sim.pace(2.0, 10.0)
    stage = Stage(sim, liveness=LONG)
    tokens = [token for token in sim.market.catalog.by_token if token & 0xFF == NSE][:3200]
    stage.feed.bus.want("leaves", dict.fromkeys(tokens[:3000], Mode.FULL))
    stage.feed.bus.want("stays", dict.fromkeys(tokens[3000:], Mode.FULL))
    await stage.start()
    await stage.until(lambda: len(stage.ear.tokens) == len(tokens))
    target = min(each["socket"] for each in sim.state()["sockets"])
    stage.feed.bus.want("leaves", {})
    stage.feed.flush()
    stage.ear.tally = Tally()
    await stage.until(lambda: sum(each["instruments"] for each in sim.state()["sockets"]) == 200)
    sim.blackhole(socket=target)
    await stage.until(lambda: set(stage.feed.subscriptions.lane_of.values()) == {0})
    await asyncio.sleep(1.0)
    carried = [each["instruments"] for each in sim.state()["sockets"]]
    sim.calm()
    await stage.until(lambda: len(sim.state()["sockets"]) == 1 and stage.feed.state.lanes == 1)
    await asyncio.sleep(1.0)
    moved = [each["instruments"] for each in sim.state()["sockets"]]
    await stage.end()
    return stage.result() | {"carried": carried, "moved": moved}


async def rebalance(sim: Simulator) -> dict[str, Any]:
    """One of two clients leaves: what is left moves to one connection."""
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
    await asyncio.sleep(0.3)
    stage.ear.tokens.clear()
    await stage.until(lambda: stage.ear.tokens == kept.keys())
    carried = [each["instruments"] for each in sim.state()["sockets"]]
    await stage.end()
    return stage.result() | {"sockets_before": len(before), "carried": carried}


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


STORIES = (moves, index_packets, killed, three_lanes, full_house, rebalance, late_target, certificates, half_open)
SCENARIOS: dict[str, Callable[[Simulator], Awaitable[dict[str, Any]]]] = {
    each.__name__: each for each in (*STORIES, rejected, malformed)
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
