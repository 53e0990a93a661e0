"""Kite's ticker protocol, as a client of the relay sees it."""

import asyncio
import json

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from kite_relay.domain.relay_keys import Scope
from kite_relay.domain.ticks import HEARTBEAT, Mode, join
from tests.fakes.relay_world import INFY, NIFTY, SBIN, World, full_packet, index_packet, relay_world, until
from worker.relay import MAX_GATHERED


async def say(socket: ClientConnection, action: str, value: object) -> None:
    """Send a command, and wait until the relay has read it: it answers a ping in order."""
    await socket.send(json.dumps({"a": action, "v": value}))
    await (await socket.ping())


async def error_of(socket: ClientConnection) -> str:
    """Receive the next text frame, which must be an error; returns what it says."""
    message = json.loads(await socket.recv())
    assert message["type"] == "error"
    return str(message["data"])


async def test_a_subscription_starts_in_quote_and_gets_each_packet_once() -> None:
    """Kite's default mode is quote, and subscribing again changes nothing."""
    async with relay_world() as world, world.client() as bot:
        await say(bot, "subscribe", [INFY])
        await say(bot, "subscribe", [INFY, INFY])
        for price in (1, 2):
            world.tick(full_packet(INFY, price), full_packet(SBIN, price))
            assert await bot.recv() == join([full_packet(INFY, price)[:44]])
        assert world.wanted == {"relay": {INFY: Mode.QUOTE}}


async def test_each_client_gets_its_own_mode() -> None:
    """Kite sends what the most curious client wants; the others get their part of it."""
    async with relay_world() as world, world.client() as ltp, world.client() as quote, world.client() as full:
        for bot, mode in ((ltp, "ltp"), (quote, "quote"), (full, "full")):
            await say(bot, "mode", [mode, [INFY, NIFTY]])
        assert world.wanted["relay"] == {INFY: Mode.FULL, NIFTY: Mode.FULL}
        world.tick(full_packet(INFY), index_packet(NIFTY))
        assert await ltp.recv() == join([full_packet(INFY)[:8], index_packet(NIFTY)[:8]])
        assert await quote.recv() == join([full_packet(INFY)[:44], index_packet(NIFTY)[:28]])
        assert await full.recv() == join([full_packet(INFY), index_packet(NIFTY)])


async def test_commands_come_in_any_order() -> None:
    """Mode before subscribe subscribes; subscribe after mode keeps the mode; unsubscribe of a stranger is no error."""
    async with relay_world() as world, world.client() as bot:
        await say(bot, "unsubscribe", [SBIN])
        await say(bot, "mode", ["full", [INFY]])
        await say(bot, "subscribe", [INFY, SBIN])
        assert world.wanted["relay"] == {INFY: Mode.FULL, SBIN: Mode.QUOTE}
        await say(bot, "mode", ["ltp", [INFY]])
        await say(bot, "unsubscribe", [SBIN])
        assert world.wanted["relay"] == {INFY: Mode.LTP}
        world.tick(full_packet(INFY), full_packet(SBIN))
        assert await bot.recv() == join([full_packet(INFY)[:8]])


async def test_the_newest_packet_comes_at_once_on_subscribing() -> None:
    """A snapshot in the asked mode, again when the mode shows more, and not when nothing is new."""
    async with relay_world() as world:
        world.tick(full_packet(INFY, 7), index_packet(NIFTY, 7))
        async with world.client() as bot:
            await say(bot, "subscribe", [INFY, NIFTY, SBIN])
            assert await bot.recv() == join([full_packet(INFY, 7)[:44], index_packet(NIFTY, 7)[:28]])
            await say(bot, "mode", ["full", [INFY]])
            assert await bot.recv() == join([full_packet(INFY, 7)])
            await say(bot, "mode", ["ltp", [INFY]])
            await say(bot, "subscribe", [INFY])
            world.tick(full_packet(INFY, 8))
            assert await bot.recv() == join([full_packet(INFY, 8)[:8]])


async def test_wants_end_with_their_client_and_old_packets_are_forgotten() -> None:
    """What nobody wants is asked of Kite no more, and is no snapshot for who comes next."""
    async with relay_world() as world:
        async with world.client() as bot:
            await say(bot, "subscribe", [INFY])
            world.tick(full_packet(INFY))
        async with world.client() as bot:
            await say(bot, "subscribe", [SBIN])
            assert world.wanted["relay"] == {SBIN: Mode.QUOTE}
            assert world.bus.latest == {}


async def test_heartbeats_come_alone_or_before_ticks() -> None:
    """One byte; a client that gets ticks gets them too, without a write of their own."""
    async with relay_world(heartbeat=0.01) as world, world.client() as bot:
        assert await bot.recv() == HEARTBEAT
        assert await bot.recv() == HEARTBEAT
        await say(bot, "subscribe", [INFY])
        world.tick(full_packet(INFY))
        received = [await bot.recv() for _ in range(40)]
        assert set(received) == {HEARTBEAT, join([full_packet(INFY)[:44]])}


async def test_compression_is_declined() -> None:
    """Compressing would cost a context and a copy per client."""
    async with relay_world() as world, world.client(compression="deflate") as bot:
        assert bot.protocol.extensions == []


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("not json", "no JSON"),
        ("[" * 50_000, "no JSON"),
        ("[1]", "no object"),
        ('{"a": "dance", "v": []}', "none of subscribe"),
        ('{"a": {}, "v": []}', "none of subscribe"),
        ('{"a": "subscribe", "v": ["408065"]}', "no list of instrument tokens"),
        ('{"a": "subscribe", "v": [true]}', "no list of instrument tokens"),
        ('{"a": "subscribe", "v": [4294967296]}', "no list of instrument tokens"),
        ('{"a": "subscribe"}', "no list of instrument tokens"),
        ('{"a": "mode", "v": ["all", [1]]}', '"v" of mode'),
        ('{"a": "mode", "v": [{}, [1]]}', '"v" of mode'),
        ('{"a": "mode", "v": "full"}', '"v" of mode'),
    ],
)
async def test_what_is_no_command_is_answered_and_changes_nothing(message: str, says: str) -> None:
    """The connection stays, as with Kite."""
    async with relay_world() as world, world.client() as bot:
        await bot.send(message)
        assert says in await error_of(bot)
        await say(bot, "subscribe", [INFY])
        assert world.wanted == {"relay": {INFY: Mode.QUOTE}}


async def test_twenty_mistakes_end_the_patience() -> None:
    """4010: coming back without a change makes no sense."""
    async with relay_world() as world, world.client() as bot:
        for _ in range(20):
            await bot.send("?")
        for _ in range(20):
            await error_of(bot)
        with pytest.raises(ConnectionClosed):
            await bot.recv()
        assert bot.close_code == 4010


async def test_the_limit_of_instruments_is_named() -> None:
    """Too many instruments: an error text, and what flowed flows on."""
    async with relay_world(instruments_per_client=2) as world, world.client() as bot:
        await say(bot, "subscribe", [INFY])
        await say(bot, "subscribe", [1, 2])
        assert await error_of(bot) == "limit: 2 instruments per connection"
        world.tick(full_packet(INFY))
        assert await bot.recv() == join([full_packet(INFY)[:44]])
        assert world.wanted["relay"] == {INFY: Mode.QUOTE}


async def test_kites_own_limit_is_named() -> None:
    """More than Kite allows for all together: told to who asked for it, and to nobody else."""
    async with relay_world() as world, world.client() as first, world.client() as second:
        world.capacity = 2
        await say(first, "subscribe", [1, 2])
        await say(second, "subscribe", [2, 3])
        assert await error_of(second) == "limit: Kite allows 2 instruments"
        await say(second, "subscribe", [2])
        world.tick(full_packet(2), full_packet(3))
        assert await first.recv() == join([full_packet(2)[:44]])
        assert await second.recv() == join([full_packet(2)[:44]])
        assert world.wanted["relay"] == {1: Mode.QUOTE, 2: Mode.QUOTE}


async def test_the_limit_of_connections_per_key_is_named() -> None:
    """One too many is told why, closed with 4009, and leaves the others alone."""
    async with relay_world(clients_per_key=1) as world, world.client() as first:
        async with world.client() as second:
            assert await error_of(second) == "limit: 1 connections per key"
            with pytest.raises(ConnectionClosed):
                await second.recv()
            assert second.close_code == 4009
        await say(first, "subscribe", [INFY])


async def test_the_limit_of_size_is_named() -> None:
    """A message that is too long: an error text, then 4009."""
    async with relay_world(message_size=1000) as world, world.client() as bot:
        await bot.send("x" * 1001)
        assert await error_of(bot) == "limit: a message has 1000 bytes at most"
        with pytest.raises(ConnectionClosed):
            await bot.recv()
        assert bot.close_code == 4009


async def test_the_limit_of_rate_is_named() -> None:
    """Too many messages: an error text, then 4009."""
    async with relay_world(message_burst=5, message_rate=0.001) as world, world.client() as bot:
        for _ in range(6):
            await bot.send('{"a": "subscribe", "v": []}')
        assert "messages per second" in await error_of(bot)
        with pytest.raises(ConnectionClosed):
            await bot.recv()
        assert bot.close_code == 4009


async def test_a_broken_websocket_frame_is_a_protocol_error() -> None:
    """Reserved bits, bad UTF-8: 4010."""
    async with relay_world() as world, world.client() as bot:
        bot.transport.write(b"\xf1\x80\x00\x00\x00\x00")
        with pytest.raises(ConnectionClosed):
            await bot.recv()
        assert bot.close_code == 4010


async def test_a_message_may_come_in_fragments() -> None:
    """The official clients do not fragment, but they may."""
    async with relay_world() as world, world.client() as bot:
        await bot.send(['{"a": "subs', 'cribe", "v": [408065]}'])
        await (await bot.ping())
        assert world.wanted["relay"] == {INFY: Mode.QUOTE}


async def test_orders_reach_only_keys_with_that_scope() -> None:
    """Order updates are the account's private affairs; messages of the broker are for all."""
    async with relay_world() as world:
        orders = world.parameters.make("desk", Scope.TICKS, Scope.ORDERS)
        await world.relay.refresh_keys()
        async with world.client() as bot, world.client(orders) as desk:
            order, message = '{"type": "order", "data": {"order_id": "1"}}', '{"type": "message", "data": "hello"}'
            for text in (order, "no json", "[1]", '{"type": "instruments_meta"}', message):
                world.bus.publish_text(text)
            assert await bot.recv() == message
            assert [await desk.recv(), await desk.recv()] == [order, message]


async def test_a_key_without_ticks_gets_none() -> None:
    """Scopes hold in both directions."""
    async with relay_world() as world:
        key = world.parameters.make("orders-only", Scope.ORDERS)
        await world.relay.refresh_keys()
        async with world.client(key) as bot:
            await say(bot, "subscribe", [INFY])
            assert "scope 'ticks'" in await error_of(bot)


async def test_no_message_grows_without_end() -> None:
    """A feed that catches up is written piece by piece."""
    async with relay_world() as world, world.client() as bot:
        await say(bot, "subscribe", [INFY])
        for _ in range(2):
            world.tick(*[full_packet(INFY, price) for price in range(MAX_GATHERED)])
        for _ in range(2):
            assert await bot.recv() == join([full_packet(INFY, price)[:44] for price in range(MAX_GATHERED)])


async def test_a_text_overtakes_no_tick() -> None:
    """What Kite sent first comes first."""
    async with relay_world() as world, world.client() as bot:
        await say(bot, "subscribe", [INFY])
        world.tick(full_packet(INFY))
        world.bus.publish_text('{"type": "message", "data": "hello"}')
        assert await bot.recv() == join([full_packet(INFY)[:44]])
        assert await bot.recv() == '{"type": "message", "data": "hello"}'


async def test_a_tick_overtakes_no_text() -> None:
    """Texts go through the transport and ticks past it: what the transport is given, it must have written by then."""
    text = '{"type": "message", "data": "hello"}'
    async with relay_world() as world, world.client() as bot:
        await say(bot, "subscribe", [INFY])
        world.bus.publish_text(text)
        world.tick(*[full_packet(INFY)] * MAX_GATHERED)  # so many are written at once
        assert await bot.recv() == text
        assert await bot.recv() == join([full_packet(INFY)[:44]] * MAX_GATHERED)


@pytest.mark.parametrize("window", [0.0, 0.005])
async def test_ticks_that_come_together_leave_together(window: float) -> None:
    """Upstream frames that come at once, or within the window, become one message; nothing is lost."""
    async with relay_world(window=window) as world, world.client() as bot:
        await say(bot, "subscribe", [INFY])
        for price in range(3):
            world.tick(full_packet(INFY, price))
        assert await bot.recv() == join([full_packet(INFY, price)[:44] for price in range(3)])


async def test_a_restart_is_told_and_can_be_retried() -> None:
    """1012 says: come back."""
    world = World()
    await world.relay.start()
    async with world.client() as bot:
        await asyncio.gather(world.relay.stop(), bot.wait_closed())
        assert bot.close_code == 1012
    assert world.relay.stats.closes == {1012: 1}


async def test_clients_are_known_by_the_names_of_their_keys() -> None:
    """For the heartbeat: name, connections, since when."""
    async with relay_world() as world:
        async with world.client(), world.client():
            assert world.relay.clients() == [
                {
                    "name": "bot",
                    "connections": 2,
                    "connected_at": "2026-11-24T04:00:00+00:00",
                    "dropped": 0,
                    "conflated": 0,
                }
            ]
        await until(lambda: world.relay.clients() == [])


async def test_a_plain_http_request_is_told_what_to_do() -> None:
    """426, as the RFC has it."""
    async with relay_world() as world:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.relay.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 426 ")
        writer.close()
        await writer.wait_closed()


async def test_any_path_and_any_api_key_will_do() -> None:
    """The key alone says who it is: clients put what they like in `api_key`, and proxies add paths."""
    async with relay_world() as world:
        url = world.url(name="somebody").replace("/?", "/kite/ticker?")
        async with connect(url, proxy=None):
            assert [client["name"] for client in world.relay.clients()] == ["bot"]


async def test_no_key_no_entry() -> None:
    """403 in the handshake, as Kite does."""
    async with relay_world() as world:
        with pytest.raises(InvalidStatus) as caught:
            await connect(world.url("kr_wrong"), proxy=None)
        assert caught.value.response.status_code == 403
        assert world.relay.stats.refused == {403: 1}
