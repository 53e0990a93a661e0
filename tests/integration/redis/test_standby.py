"""Two real workers, relay processes and a Redis: the leader dies or hangs, Redis goes away; clients stay connected."""

import asyncio
import contextlib
import json
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from kite_relay.adapters.ssm import SsmParameters
from kite_relay.domain.records import TicketKey
from kite_relay.domain.relay_keys import NONCE_SIZE, KeyRing, RelayKey, Scope, hash_key, issue_ticket
from kite_relay.domain.ticks import FULL, split
from tests.fakes.canaries import RELAY_KEY
from tests.fakes.redis_server import RedisServer
from tests.fakes.worker_on_aws import WORKER, Process, Stage
from tests.fakes.worker_process import free_port
from tools.simulator import Simulator
from worker.relay_main import TICKET_KEY_EVERY
from worker.relay_settings import CloseCode
from worker.stream_lease import SECONDS

RELAY = ("-m", "worker.relay_main")
TAKEN_OVER = SECONDS + 5.0
"""Seconds without a tick when the leader is killed: its lease runs out, and Kite is dialled."""
BLIP = 2.0
CLIENTS = 5
pytestmark = [pytest.mark.xdist_group("redis"), pytest.mark.timeout(180)]


class Client:
    """A client that reads all the time, and notes what it saw."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.seen: list[tuple[int, int]] = []
        """(instrument, which of its updates), as they came."""
        self.at = time.monotonic()
        self.longest = 0.0
        """The longest time between two frames of ticks, in seconds."""
        self._new = asyncio.Event()
        self.reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        async for message in self.socket:
            packets = split(message) if isinstance(message, bytes) else []
            if packets:
                now = time.monotonic()
                self.longest, self.at = max(self.longest, now - self.at), now
                self.seen += [(token, int.from_bytes(p[16:20], "big")) for token, p in packets if len(p) == FULL]
                self._new.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a tick makes something true."""
        async with asyncio.timeout(30):
            while not condition():
                assert not self.reading.done(), f"disconnected: {self.socket.close_code}"
                self._new.clear()
                await self._new.wait()

    async def more(self, count: int) -> None:
        """Wait for so many ticks more."""
        enough = len(self.seen) + count
        await self.until(lambda: len(self.seen) >= enough)

    async def reaches(self, tick: tuple[int, int]) -> None:
        """Wait for this tick."""
        await self.until(lambda: tick in self.seen[-1000:])

    def backwards(self) -> int:
        """Count ticks that are older than one that came before."""
        newest: dict[int, int] = {}
        older = 0
        for token, number in self.seen:
            older += number < newest.get(token, 0)
            newest[token] = max(number, newest.get(token, 0))
        return older

    def doubled(self) -> int:
        """Count ticks that came again."""
        return len(self.seen) - len(set(self.seen))


class House(Stage):
    """The stage with a Redis, and a key for its clients."""

    def __init__(self, sim: Simulator, folder: Path, redis: RedisServer) -> None:
        super().__init__(sim, folder)
        self.redis = redis
        ring = KeyRing().add(RelayKey("bot", hash_key(RELAY_KEY), frozenset({Scope.TICKS}), datetime.now(UTC)))
        SsmParameters(self.cloud.ssm, "/kite-relay", lambda _: None).write("relay_keys", ring.to_json(), secret=False)
        tokens = [token for token in sim.market.catalog.by_token if token & 0xFF == 1]
        self.tokens, self.others = tokens[:20], tokens[20:30]

    async def begin(self, *command: str, **variables: str) -> Process:
        """Start a program of ours with Redis."""
        return await self.start(*command, REDIS_URL=self.redis.url, HEARTBEAT_SECONDS="5", **variables)

    async def relay(self) -> tuple[Process, int]:
        """Start a relay process; gives its port too."""
        port = free_port()
        process = await self.begin(*RELAY, RELAY_PORT=str(port))
        await process.until(event="listening")
        return process, port

    @asynccontextmanager
    async def client(self, port: int, tokens: list[int]) -> AsyncIterator[Client]:
        """Connect a client."""
        async with connect(f"ws://127.0.0.1:{port}/?api_key=bot&access_token={RELAY_KEY}", proxy=None) as socket:
            await socket.send(json.dumps({"a": "mode", "v": ["full", tokens]}))
            client = Client(socket)
            yield client
            client.reading.cancel()

    async def ticket_opens(self, port: int) -> bool:
        """Try a ticket of the key that stands on the board; a page that is not allowed is told so after it."""
        key = (await self.record(TicketKey.KEY))["key"]
        ticket = issue_ticket(key, datetime.now(UTC), os.urandom(NONCE_SIZE))
        with contextlib.suppress(InvalidStatus):
            async with connect(f"ws://127.0.0.1:{port}/?api_key=dashboard&access_token={ticket}", proxy=None) as page:
                await page.wait_closed()
                return page.close_code == CloseCode.ORIGIN
        return False

    def sockets(self) -> list[Any]:
        """Tell the sockets at Kite."""
        return list(self.sim.state()["sockets"])


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """Set the stage."""
    with tempfile.TemporaryDirectory() as folder:
        async with Simulator(updates=10, frames=10) as sim, RedisServer(Path(folder)) as redis:
            house = House(sim, Path(folder), redis)
            house.cloud.login(sim.mint()["access_token"])
            yield house
            await house.end()


@asynccontextmanager
async def clients(house: House, *ports: int) -> AsyncIterator[list[Client]]:
    """Connect clients to relay processes; at the end none was disconnected, or got an old tick or one again."""
    async with AsyncExitStack() as stack:
        found = [
            await stack.enter_async_context(house.client(port, house.tokens)) for port in ports for _ in range(CLIENTS)
        ]
        await ticking(found)
        yield found
        assert not any(client.reading.done() for client in found), "a client was disconnected"
        assert [client.backwards() for client in found] == [0] * len(found)


async def ticking(found: list[Client], more: int = 200) -> None:
    """Wait until each client has seen so many ticks more; silence is measured from there on."""
    for client in found:
        await client.more(more)
        client.longest = 0.0


async def silence(found: list[Client]) -> float:
    """Wait until ticks flow; gives the longest time without."""
    for client in found:
        await client.more(1)
    return max(client.longest for client in found)


async def pair(house: House) -> tuple[Process, Process]:
    """Start a worker, and one that stands by."""
    leader = await house.begin(*WORKER)
    await leader.until(step="first_packet")
    standby = await house.begin(*WORKER)
    await standby.until(event="standing by")
    return leader, standby


@pytest.mark.promise(18)
async def test_a_standby_takes_over_from_a_leader_that_was_killed(
    house: House, measured: Callable[[str, object], None]
) -> None:
    """Its lease runs out, the standby dials once, and the clients of the relay processes notice a pause only."""
    leader, standby = await pair(house)
    (_, one), (_, two) = await house.relay(), await house.relay()
    async with clients(house, one, two) as found:
        assert len(house.sim.state()["dials"]) == 1, "the standby dialled"
        leader.process.kill()
        await standby.until(step="first_packet")
        gap = await silence(found)
        measured("disconnected", sum(client.reading.done() for client in found))
        async with asyncio.timeout(2 * TICKET_KEY_EVERY):
            while not await house.ticket_opens(one):  # noqa: ASYNC110 - another process
                await asyncio.sleep(1.0)
    measured("clients of relay processes over the leader's kill -9", len(found))
    measured("seconds without a tick", round(gap, 1))
    assert gap <= TAKEN_OVER
    assert len(house.sockets()) == 1
    assert len(house.sim.state()["dials"]) == 2


@pytest.mark.promise(18)
async def test_a_leader_that_hung_does_not_make_two_feeds(
    house: House, measured: Callable[[str, object], None]
) -> None:
    """It wakes up in another's time: not one tick of it reaches a client, not one word the board, and it ends."""
    leader, standby = await pair(house)
    _, port = await house.relay()
    async with clients(house, port) as found:
        os.kill(leader.process.pid, signal.SIGSTOP)
        await standby.until(step="first_packet")
        gap = await silence(found)
        began = (await house.heartbeat())["started_at"]
        os.kill(leader.process.pid, signal.SIGCONT)
        woken = time.monotonic()
        ended = asyncio.ensure_future(leader.died())
        told = set()
        while not ended.done():
            told.add((await house.heartbeat())["started_at"])
            await asyncio.sleep(0.02)
        measured("seconds without a tick when the leader hangs", round(gap, 1))
        measured("seconds until it has ended after it woke up", round(time.monotonic() - woken, 1))
        assert await ended == 0
        await ticking(found)
        assert (await house.heartbeat())["connected"]
        assert told == {began}
    assert len(house.sockets()) == 1


async def test_a_relay_process_answers_names_and_reports_a_guesser(house: House) -> None:
    """What the dashboard asks first, and what the status must know: both as at the worker's own relay."""
    worker = await house.begin(*WORKER)
    await worker.until(step="first_packet")
    _, port = await house.relay()
    async with connect(f"ws://127.0.0.1:{port}/?api_key=bot&access_token={RELAY_KEY}", proxy=None) as socket:
        await socket.send('{"a": "find", "v": ""}')
        while isinstance(text := await socket.recv(), bytes):
            pass
        assert {one["symbol"] for one in json.loads(text)["data"]["instruments"]} == {
            "NIFTY 50",
            "NIFTY BANK",
            "SENSEX",
        }
    for number in range(10):
        with pytest.raises(InvalidStatus):
            await connect(f"ws://127.0.0.1:{port}/?api_key=bot&access_token=kr_{number}", proxy=None)
    async with asyncio.timeout(30):
        while "relay_guessing" not in str((await house.heartbeat())["findings"]):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.2)


async def test_a_relay_process_shows_its_health_and_its_clients(house: House) -> None:
    """Each has a page of its own, whose port it tells."""
    await house.begin(*WORKER)
    relay, port = await house.relay()
    root = f"http://127.0.0.1:{(await relay.until(event='listening'))['web_port']}"
    async with clients(house, port), ClientSession(root) as pages:
        async with pages.get("/healthz") as answer:
            assert await answer.json() == {"status": "ok"}
        async with pages.get("/metrics") as answer:
            assert f"kite_relay_clients {CLIENTS}.0" in await answer.text()
        await house.redis.kill()
        async with asyncio.timeout(10):
            while not (await readiness(pages))["findings"]:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
        assert [each["code"] for each in (await readiness(pages))["findings"]] == ["redis_unreachable"]
        await house.redis.start()


async def readiness(pages: ClientSession) -> dict[str, Any]:
    """Ask a process whether clients get ticks."""
    async with pages.get("/readyz") as answer:
        found: dict[str, Any] = await answer.json()
        assert answer.status == (503 if found["findings"] else 200)
        return found


async def test_a_relay_process_that_starts_anew_has_the_prices_and_asks_for_more(house: House) -> None:
    """Its first client gets the newest packets though nothing moves, and what only it wants is asked of Kite."""
    await house.begin(*WORKER)
    relay, port = await house.relay()
    async with clients(house, port):
        pass
    relay.process.kill()
    await relay.died()
    house.sim.pace(updates=0)
    relay = await house.begin(*RELAY, RELAY_PORT=str(port))
    await relay.until(event="listening")
    async with house.client(port, house.tokens) as again:
        await again.until(lambda: {token for token, _ in again.seen} == set(house.tokens))
        async with house.client(port, house.others) as another:
            await another.until(lambda: {token for token, _ in another.seen} == set(house.others))


@pytest.mark.parametrize("trouble", ["hangs", "is killed"])
async def test_a_redis_that_is_away_for_two_seconds_costs_no_frame(house: House, trouble: str) -> None:
    """A client of a relay process sees the very ticks that one sees who needs no Redis; the leader stays the leader."""
    leader, _ = await pair(house)
    _, port = await house.relay()
    own = (await leader.until(event="listening"))["relay_port"]
    async with clients(house, port) as found, house.client(own, house.tokens) as witness:
        await ticking([witness])
        first = len(witness.seen)
        if trouble == "hangs":
            house.redis.hang()
        else:
            await house.redis.kill()
        await asyncio.sleep(BLIP)
        if trouble == "hangs":
            house.redis.go_on()
        else:
            await house.redis.start()
        await ticking([witness], 2000)
        wanted, last = set(witness.seen[first:]), witness.seen[-1]
        for client in found:
            await client.reaches(last)
        assert [len(wanted - set(client.seen)) for client in found] == [0] * CLIENTS
    assert [client.doubled() for client in found] == [0] * len(found)
    assert len(house.sim.state()["dials"]) == 1, "the standby took over, though nobody died"
