"""Several processes' worth of relay over a real Redis: frames down, wants up, blips, a lease."""

import asyncio
import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect as dial

from kite_relay.domain.errors import LimitExceededError
from kite_relay.domain.records import TicketKey
from kite_relay.domain.relay_keys import NONCE_SIZE
from kite_relay.domain.ticks import Mode, split
from kite_relay.ports import Item
from tests.fakes import FakeClock
from tests.fakes.redis_server import RedisServer
from tests.fakes.relay_world import INFY, NOW, SBIN, TICKET_KEY, HandParameters, full_packet, until
from tests.fakes.tls import make_certificate, tls_door
from worker.bus import Bus
from worker.relay_main import RelayProcess
from worker.relay_settings import RelaySettings
from worker.stream import FRAMES, Writer, connect, ticket_claim
from worker.stream_lease import Lease
from worker.stream_tail import follow
from worker.stream_wants import WantsTaker

pytestmark = pytest.mark.xdist_group("redis")


@pytest.fixture
async def server() -> AsyncIterator[RedisServer]:
    """Start a real Redis."""
    with tempfile.TemporaryDirectory() as folder:
        async with RedisServer(Path(folder)) as redis:
            yield redis


class TicketBoard:
    """A board that holds the ticket key."""

    def get(self, keys: Any) -> Mapping[str, Item]:
        """Read it."""
        return {TicketKey.KEY: TICKET_KEY.to_item()}


class FeedSide:
    """The worker's side, without Kite."""

    def __init__(self, url: str) -> None:
        self.redis = connect(url)
        self.wanted: dict[str, Mapping[int, Mode]] = {}
        self.capacity = 9000
        self.bus = Bus(self._set)
        self.lease = Lease(self.redis, "feed")
        self.writer = Writer(self.redis, self.bus, lambda: self.lease.term)
        self.clock = FakeClock(NOW)
        self.taker = WantsTaker(self.redis, self.bus, self.writer, self.clock.monotonic)

    def _set(self, owner: str, wants: Mapping[int, Mode]) -> None:
        if len(wants) > self.capacity:
            raise LimitExceededError("Kite allows no more")
        self.wanted[owner] = wants

    def tick(self, token: int, price: int) -> None:
        """Let one instrument tick."""
        self.bus.publish([(token, full_packet(token, price))])


@asynccontextmanager
async def feed_side(url: str) -> AsyncIterator[FeedSide]:
    """Run the worker's side."""
    side = FeedSide(url)
    await side.lease.acquire()
    tasks = [asyncio.create_task(side.writer.run()), asyncio.create_task(side.taker.run())]
    try:
        yield side
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await side.redis.aclose()


@asynccontextmanager
async def relay_side(url: str) -> AsyncIterator[tuple[RelayProcess, str]]:
    """Run a relay process's insides."""
    parameters = HandParameters()
    key = parameters.make("bot")
    settings = RelaySettings(port=0, heartbeat=60.0)
    async with RelayProcess(url, settings, parameters, TicketBoard(), FakeClock(NOW)) as process:  # type: ignore[arg-type]
        yield process, key


async def prices(bot: Any, count: int) -> list[int]:
    """Receive so many ticks, in however few messages, and read their prices."""
    found: list[int] = []
    while len(found) < count:
        found += [int.from_bytes(packet[4:8], "big") for _, packet in split(await bot.recv())]
    return found


@asynccontextmanager
async def client_of(process: RelayProcess, key: str, *tokens: int) -> AsyncIterator[Any]:
    """Connect a client and subscribe."""
    async with dial(f"ws://127.0.0.1:{process.relay.port}/?api_key=x&access_token={key}", proxy=None) as bot:
        await bot.send(json.dumps({"a": "mode", "v": ["full", list(tokens)]}))
        await (await bot.ping())
        yield bot


async def test_frames_go_down_and_wants_go_up(server: RedisServer) -> None:
    """Two relay processes serve the same ticks, and the feed hears what each one's clients want."""
    url = server.url
    async with feed_side(url) as feed, relay_side(url) as (one, key), relay_side(url) as (two, _):
        async with client_of(one, key, INFY) as first, client_of(two, key, INFY, SBIN) as second:
            await until(lambda: sorted(map(len, feed.wanted.values())) == [1, 2])
            feed.tick(INFY, 1)
            feed.tick(SBIN, 2)
            feed.bus.publish_text('{"type": "message", "data": "hello"}')
            assert await prices(first, 1) == [1]
            assert await prices(second, 2) == [1, 2]
            assert await first.recv() == await second.recv() == '{"type": "message", "data": "hello"}'
            await until(lambda: [c["name"] for c in feed.taker.clients()] == ["bot", "bot"])
        await until(lambda: all(not wants for wants in feed.wanted.values()))


async def test_a_late_relay_process_has_the_newest_prices(server: RedisServer) -> None:
    """It reads what stands in the stream before it opens its door."""
    url = server.url
    async with feed_side(url) as feed:
        feed.bus.want("always", {INFY: Mode.FULL})
        for price in range(1, 50):
            feed.tick(INFY, price)
        await until(lambda: not feed.writer._unsent)
        async with relay_side(url) as (process, key), client_of(process, key, INFY) as bot:
            assert await prices(bot, 1) == [49]


async def test_a_blip_of_redis_loses_nothing(server: RedisServer) -> None:
    """A server that hangs: the ticks come late, each one once, and nobody is disconnected."""
    url = server.url
    async with feed_side(url) as feed, relay_side(url) as (process, key), client_of(process, key, INFY) as bot:
        feed.tick(INFY, 1)
        assert await prices(bot, 1) == [1]
        server.hang()
        for price in range(2, 100):
            feed.tick(INFY, price)
        await until(lambda: feed.writer.state == "unreachable")
        server.go_on()
        assert await prices(bot, 98) == list(range(2, 100))


async def test_a_redis_that_comes_back_empty_loses_nothing(server: RedisServer) -> None:
    """The writer gives the last frames anew, and the reader drops those it has seen."""
    url = server.url
    async with feed_side(url) as feed, relay_side(url) as (process, key), client_of(process, key, INFY) as bot:
        for price in range(1, 10):
            feed.tick(INFY, price)
        assert await prices(bot, 9) == list(range(1, 10))
        await server.kill()
        await server.start()
        feed.tick(INFY, 10)
        assert await prices(bot, 1) == [10]


async def test_a_redis_that_asks_for_a_password(server: RedisServer) -> None:
    """The URL holds it, and the number of the database."""
    admin = connect(server.url)
    await admin.config_set("requirepass", "secret")
    url = server.url.replace("unix://", "unix://:secret@") + "?db=1"
    async with feed_side(url) as feed, relay_side(url) as (process, key), client_of(process, key, INFY) as bot:
        feed.tick(INFY, 1)
        assert await prices(bot, 1) == [1]
        assert not await admin.exists(FRAMES)
    await admin.aclose()


async def test_a_redis_behind_tls(server: RedisServer, tmp_path: Path) -> None:
    """`rediss://`: ticks come by it, and a server that shows another's certificate is not spoken to."""
    certificate, other = make_certificate(tmp_path, "redis"), make_certificate(tmp_path, "other")
    async with tls_door(certificate, server.socket) as port:
        known = f"rediss://localhost:{port}?ssl_ca_certs={certificate}"
        async with feed_side(known) as feed, relay_side(known) as (process, key), client_of(process, key, INFY) as bot:
            feed.tick(INFY, 1)
            assert await prices(bot, 1) == [1]
        wary = connect(known.replace(str(certificate), str(other)))
        with pytest.raises(ssl.SSLCertVerificationError):
            await follow(wary, FRAMES, b"0", 1, lambda _entries: None)


async def test_what_the_feed_cannot_fulfil_is_told_to_the_client(server: RedisServer) -> None:
    """Across processes too: an error text, and what flowed flows on."""
    url = server.url
    async with feed_side(url) as feed, relay_side(url) as (process, key), client_of(process, key, INFY) as bot:
        await until(lambda: list(map(len, feed.wanted.values())) == [1])
        process.relay._desk._asked.clear()
        feed.capacity = 1
        await bot.send(json.dumps({"a": "subscribe", "v": [SBIN]}))
        assert json.loads(await bot.recv()) == {"type": "error", "data": "limit: Kite allows no more"}
        feed.tick(SBIN, 1)
        feed.tick(INFY, 2)
        assert await prices(bot, 1) == [2]


async def test_a_silent_process_wants_nothing_more(server: RedisServer) -> None:
    """A relay that died without a word is forgotten after seconds."""
    side = FeedSide(server.url)
    body = json.dumps(
        {"n": 1, "wants": {str(INFY): "full"}, "clients": [{"name": "bot"}], "findings": [{"code": "x"}]}
    ).encode()
    side.taker.look({"relay:a": body, "relay:b": b"no json", "relay:c": b'{"n": 1}'})
    assert side.wanted == {"relay:a": {INFY: Mode.FULL}}
    assert side.taker.findings() == [{"code": "x"}]
    side.clock.advance(16)
    side.taker.look({"relay:a": body})
    assert side.wanted == {"relay:a": {}}
    assert side.taker.clients() == side.taker.findings() == []
    await side.redis.aclose()


async def test_a_ticket_is_used_up_everywhere(server: RedisServer) -> None:
    """Single use holds over all relay processes."""
    one, two = connect(server.url), connect(server.url)
    assert await ticket_claim(one)(bytes(NONCE_SIZE))
    assert not await ticket_claim(two)(bytes(NONCE_SIZE))
    await one.aclose()
    await two.aclose()


async def test_one_worker_holds_the_lease_and_a_standby_takes_over(server: RedisServer) -> None:
    """At once when it is given up, after its time when its holder died; the old holder learns of it."""
    redis = connect(server.url)
    one, two = Lease(redis, "one", 0.5), Lease(redis, "two", 0.5)
    await one.acquire()
    assert await two.try_once() is False
    await one.release()
    assert await two.try_once() is True
    await asyncio.wait_for(one.acquire(), 5)  # two renews no more: it died
    assert await two.try_once() is False
    await asyncio.wait_for(two.hold(), 5)
    server.hang()
    blind = Lease(connect(server.url + "?socket_timeout=0.1"), "one", 0.5)
    assert await blind.try_once() is None
    server.go_on()
    await blind._redis.aclose()
    await redis.aclose()
