"""One slow client hurts nobody: it is conflated for, and dropped when it takes nothing at all."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import ClientConnection

from kite_relay.domain.relay_keys import Scope
from kite_relay.domain.ticks import FULL, split
from tests.fakes.relay_world import World, full_packet, relay_world, until

TOKENS = range(1, 3001)


def shake_hands(world: World, key: str | None, plain: socket.socket) -> None:
    """Do the handshake by hand: the client's library must not read anything after it."""
    lines = (
        f"GET {world.url(key).split(str(world.relay.port), 1)[1]} HTTP/1.1",
        "Host: x",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version: 13",
        "",
        "",
    )
    plain.connect(("127.0.0.1", world.relay.port))
    plain.sendall("\r\n".join(lines).encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += plain.recv(1)
    assert answer.startswith(b"HTTP/1.1 101 ")


def masked(payload: bytes) -> bytes:
    """Write a client's text frame, masked with zeros."""
    return b"\x81\xfe" + len(payload).to_bytes(2, "big") + bytes(4) + payload


@asynccontextmanager
async def stalled(world: World, key: str | None = None, buffer: int = 4096) -> AsyncIterator[socket.socket]:
    """Connect a client that wants everything and reads nothing by itself, through a small kernel buffer."""
    with socket.socket() as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        plain.settimeout(5)
        await asyncio.to_thread(shake_hands, world, key, plain)
        plain.sendall(masked(json.dumps({"a": "mode", "v": ["full", list(TOKENS)]}).encode()))
        await until(lambda: len(world.wanted.get("relay", {})) == len(TOKENS))
        yield plain


def flood(world: World, price: int) -> None:
    """Let every instrument tick once."""
    world.bus.publish([(token, full_packet(token, price)) for token in TOKENS])


def read_packets(plain: socket.socket, until_price: int) -> dict[int, list[int]]:
    """Read the socket to a tick of this price for every instrument; returns the prices seen, per instrument."""
    seen: dict[int, list[int]] = {}
    stream = plain.makefile("rb")
    while sum(prices[-1] == until_price for prices in seen.values()) < len(TOKENS):
        size = stream.read(2)[1]
        size = int.from_bytes(stream.read({126: 2, 127: 8}[size]), "big") if size > 125 else size
        for token, packet in split(stream.read(size)):
            assert len(packet) == FULL
            seen.setdefault(token, []).append(int.from_bytes(packet[4:8], "big"))
    return seen


async def drain(bot: ClientConnection, until_price: int) -> int:
    """Read a healthy client to this price; returns the number of packets it got."""
    packets = 0
    while True:
        message = await bot.recv()
        assert isinstance(message, bytes)
        found = split(message)
        packets += len(found)
        if found and int.from_bytes(found[-1][1][4:8], "big") == until_price:
            return packets


@pytest.mark.promise(13)
async def test_a_client_that_takes_no_byte_is_dropped_and_the_others_get_everything() -> None:
    """The send timeout ends it, its queue stayed small, and its neighbour missed no tick."""
    async with relay_world(send_timeout=0.2) as world, world.client() as bot:
        async with stalled(world):
            await bot.send(json.dumps({"a": "mode", "v": ["full", [1]]}))
            await (await bot.ping())
            for price in range(1, 21):
                flood(world, price)
            assert await drain(bot, 20) == 20
            await until(lambda: world.relay.stats.closes[4008] == 1)
        assert world.relay.stats.conflated > 0
        [row] = world.relay.clients()
        assert (row["connections"], row["dropped"]) == (1, 1)
        assert row["conflated"] == world.relay.stats.conflated


async def test_a_slow_client_gets_the_newest_of_each_instrument() -> None:
    """It reads late, and then sees the newest prices in order; what was replaced on the way is counted."""
    async with relay_world(send_timeout=60.0) as world, stalled(world) as plain:
        for price in range(1, 21):
            flood(world, price)
        assert world.relay.stats.conflated > 0
        seen = await asyncio.to_thread(read_packets, plain, 20)
        assert all(prices == sorted(set(prices)) and prices[-1] == 20 for prices in seen.values())
        received = sum(map(len, seen.values()))
        assert received + world.relay.stats.conflated == 20 * len(TOKENS)
        flood(world, 21)
        assert world.relay.stats.closes[4008] == 0


@pytest.mark.promise(13)
async def test_the_queue_of_a_stalled_client_is_bounded(measured: Callable[[str, object], None]) -> None:
    """However long it stalls: one frame in hand, and one packet per instrument."""
    async with relay_world(send_timeout=60.0) as world, stalled(world):
        [client] = world.relay._clients
        for price in range(1, 101):
            flood(world, price)
        kept = sum(map(len, client._backlog.values())) + client.transport.get_write_buffer_size()
        measured("bytes kept for a stalled client of 3,000 instruments", kept)
        assert len(client._backlog) == len(TOKENS)
        assert kept <= 2 * 186 * len(TOKENS) + 100


@pytest.mark.parametrize(("taken", "seconds", "aborted"), [(0, 4.9, False), (0, 5.0, True), (1, 60.0, False)])
async def test_only_a_client_that_took_no_byte_is_dropped(
    taken: int, seconds: float, aborted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The timeout is for clients that take nothing, not for poor lines."""
    async with relay_world() as world, stalled(world):
        [client] = world.relay._clients
        monkeypatch.setattr(client, "_unsent", lambda: 900 - taken)
        client._judge(900, asyncio.get_running_loop().time() - seconds)
        assert client.transport.is_closing() is aborted
        client._disarm()


async def test_order_updates_are_kept_for_a_slow_client_and_never_conflated() -> None:
    """Each one counts; a client that cannot take a thousand of them is dropped."""
    async with relay_world(send_timeout=60.0) as world:
        key = world.parameters.make("desk", Scope.TICKS, Scope.ORDERS)
        await world.relay.refresh_keys()
        async with stalled(world, key):
            for price in range(1, 20):
                flood(world, price)
            for number in range(1000):
                world.bus.publish_text(json.dumps({"type": "order", "data": {"order_id": number}}))
            [client] = world.relay._clients
            assert len(client._texts) == 1000
            world.bus.publish_text('{"type": "order", "data": {}}')
            await until(lambda: world.relay.stats.closes[4008] == 1)


async def test_pings_of_a_client_that_reads_nothing_do_not_pile_up() -> None:
    """Answers to a stalled client are bounded too."""
    async with relay_world(send_timeout=0.05, message_burst=10**6) as world, stalled(world) as plain:
        for price in range(1, 10):
            flood(world, price)
        ping = b"\x89\xfd" + bytes(4) + bytes(125)
        plain.settimeout(0)
        for _ in range(200):
            try:
                plain.send(ping * 50)
            except (BlockingIOError, ConnectionError):
                break
            await asyncio.sleep(0)
        await until(lambda: world.relay.stats.closes[4008] == 1)


async def test_a_client_that_says_goodbye_costs_its_neighbours_nothing() -> None:
    """Its close is answered and its end of the line stays open, as over a long way: ticks and texts go on."""
    async with relay_world() as world, world.client() as bot, stalled(world) as plain:
        await bot.send(json.dumps({"a": "mode", "v": ["full", [1]]}))
        await (await bot.ping())
        plain.sendall(b"\x88\x82" + bytes(4) + (1000).to_bytes(2, "big"))
        assert await asyncio.to_thread(plain.recv, 4096) == b"\x88\x02\x03\xe8"
        assert len(world.wanted["relay"]) == 1
        for price in range(1, 4):
            flood(world, price)
        assert await drain(bot, 3) == 3
        world.bus.publish_text('{"type": "message", "data": "hello"}')
        assert "hello" in await bot.recv()
        assert await asyncio.to_thread(plain.recv, 4096) == b"", "something came after the close"


async def test_a_client_that_takes_a_little_stays() -> None:
    """The kernel lets nobody write before a third of its buffer is free: until then only it knows what was taken."""
    async with relay_world(send_timeout=1.0) as world, stalled(world) as plain:
        for price in range(1, 20):
            flood(world, price)
        [client] = world.relay._clients
        assert client.paused
        for _ in range(20):
            assert len(await asyncio.to_thread(plain.recv, 2000)) > 0
            await asyncio.sleep(0.1)
        assert client.paused, "it took so much that this proves nothing"
        assert world.relay.stats.closes[4008] == 0
        await until(lambda: world.relay.stats.closes[4008] == 1)
