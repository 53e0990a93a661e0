"""Who gets in: keys, tickets, origins, and the lock."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from websockets.asyncio.client import connect
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from kite_relay.domain.relay_keys import NONCE_SIZE, Scope, issue_ticket
from tests.fakes.relay_world import NOW, ORIGIN, TICKET_KEY, World, relay_world, until


def ticket(number: int = 0) -> str:
    """Make a good ticket."""
    return issue_ticket(TICKET_KEY.key, NOW, bytes([number]) * NONCE_SIZE)


async def status(world: World, secret: str | None, origin: str | None = None, forwarded: str | None = None) -> int:
    """Try to get in; returns the handshake's status."""
    given = {"Origin": origin, "X-Forwarded-For": forwarded}
    headers = Headers({name: value for name, value in given.items() if value is not None})
    try:
        async with connect(world.url(secret), additional_headers=headers, proxy=None) as socket:
            return socket.response.status_code if socket.response else 0
    except InvalidStatus as refused:
        return refused.response.status_code


async def knock(world: World, forwarded: str) -> int:
    """Try a wrong key through a proxy."""
    return await status(world, "kr_x", forwarded=forwarded)


@pytest.mark.promise(20)
async def test_a_ticket_lets_the_dashboard_in_once() -> None:
    """Signed, a minute, single use, from an allowed page."""
    async with relay_world() as world:
        assert await status(world, ticket(), ORIGIN) == 101
        assert await status(world, ticket(), ORIGIN) == 403
        world.clock.advance(200)
        assert await status(world, ticket(), ORIGIN) == 403


async def test_a_ticket_of_another_worker_is_nothing() -> None:
    """The key is made anew at every start."""
    async with relay_world() as world:
        assert await status(world, issue_ticket("another", NOW, bytes(NONCE_SIZE)), ORIGIN) == 403


@pytest.mark.promise(20)
@pytest.mark.parametrize("origin", [None, "https://evil.example", ORIGIN + ".evil.example", "null"])
async def test_a_ticket_from_another_page_gets_a_named_close_and_no_tick(origin: Origin | None) -> None:
    """A browser shows no 403: the page learns from 4003 that its address is not allowed."""
    async with relay_world() as world:
        world.tick(bytes(8))
        async with connect(world.url(ticket()), origin=origin, proxy=None) as socket:
            await socket.wait_closed()
            assert socket.close_code == 4003


async def test_two_origins_are_none() -> None:
    """A header that is given twice proves nothing."""
    async with relay_world() as world:
        headers = Headers([("Origin", ORIGIN), ("Origin", ORIGIN)])
        with pytest.raises(InvalidStatus):
            await connect(world.url(ticket()), additional_headers=headers, proxy=None)


@pytest.mark.promise(20)
async def test_ten_wrong_keys_lock_the_address_and_are_seen(measured: Callable[[str, object], None]) -> None:
    """For a minute; it is a finding for ten, and counted."""
    async with relay_world() as world:
        tried = [await status(world, f"kr_{number}") for number in range(12)]
        measured("guesses heard before the lock", tried.count(403))
        assert tried == [403] * 10 + [429] * 2
        assert await status(world, None) == 429
        assert world.relay.findings() == [
            {
                "code": "relay_guessing",
                "since": NOW.isoformat(),
                "detail": "127.0.0.1 tried 10 wrong relay keys within a minute and is locked out",
            }
        ]
        world.clock.advance(61)
        assert await status(world, None) == 101
        world.clock.advance(600)
        assert world.relay.findings() == []
        assert world.relay.stats.refused == {403: 10, 429: 3}


async def test_a_lock_spares_the_programs_that_were_there_before() -> None:
    """A bot with a revoked key must not lock out its neighbours on the same machine."""
    async with relay_world() as world:
        assert await status(world, None) == 101
        for number in range(10):
            await status(world, f"kr_{number}")
        assert await status(world, None) == 101
        assert await status(world, "kr_x") == 429


async def test_only_a_proxy_of_ours_may_say_whom_it_speaks_for() -> None:
    """The last hop is the proxy's own word; what stands before it is anybody's."""
    async with relay_world() as world:
        for number in range(10):
            assert await knock(world, f"{number}.1.1.1, 9.9.9.9") == 403
        assert await knock(world, "1.1.1.1, 9.9.9.9") == 429
        assert await knock(world, "9.9.9.9, 1.1.1.1") == 403
    async with relay_world(trusted_proxies=()) as world:
        assert [await knock(world, f"{number}.1.1.1") for number in range(11)] == [403] * 10 + [429]


async def test_one_ipv6_user_is_one_address() -> None:
    """Whoever has one IPv6 address has 2 ** 64 of them."""
    async with relay_world() as world:
        for number in range(10):
            await knock(world, f"2001:db8::{number:x}")
        assert await knock(world, "2001:db8::ffff") == 429
        assert await knock(world, "2001:db8:0:1::1") == 403
        for number in range(10):
            await knock(world, f"::ffff:8.8.8.{8 + 0 * number}")
        assert await knock(world, "8.8.8.8") == 429
        assert await knock(world, "no address") == 403


async def test_a_revoked_key_closes_open_sockets() -> None:
    """4001, at the next look at the keys; then 403."""
    async with relay_world() as world, world.client() as bot:
        world.parameters.ring = world.parameters.ring.remove("bot")
        other = world.parameters.make("other")
        await world.relay.refresh_keys()
        with pytest.raises(ConnectionClosed):
            await bot.recv()
        assert bot.close_code == 4001
        assert await status(world, None) == 403
        assert await status(world, other) == 101


async def test_changed_scopes_close_too() -> None:
    """A client never keeps more than its key has now."""
    async with relay_world() as world, world.client() as bot:
        key = world.parameters.ring.keys[0]
        world.parameters.ring = world.parameters.ring.remove("bot")
        world.parameters.make("bot", Scope.ORDERS)
        assert world.parameters.ring.keys[0].sha256 == key.sha256
        await world.relay.refresh_keys()
        with pytest.raises(ConnectionClosed):
            await bot.recv()
        assert bot.close_code == 4001


async def test_keys_are_read_again_and_again() -> None:
    """Nobody has to tell the relay."""
    async with relay_world(key_refresh=0.001) as world, world.client() as bot:
        world.parameters.ring = world.parameters.ring.remove("bot")
        await until(lambda: world.relay.stats.closes[4001] == 1)
        await bot.wait_closed()


async def test_a_new_key_opens_at_once() -> None:
    """Who makes one and starts his program need not wait; guessers make the relay look every 5 seconds at most."""
    async with relay_world() as world:
        reads = []
        honest = world.parameters.read
        world.parameters.read = lambda name: reads.append(name) or honest(name)  # type: ignore[func-returns-value, method-assign]
        assert await status(world, world.parameters.make("new")) == 101
        for number in range(5):
            assert await status(world, f"kr_{number}") == 403
        assert len(reads) == 1
        world.clock.advance(5)
        assert await status(world, "kr_x") == 403
        assert len(reads) == 2


async def test_a_guesser_who_is_locked_out_makes_nobody_look() -> None:
    """He is not worth a call."""
    async with relay_world(guesses=1) as world:
        assert await status(world, "kr_x") == 403
        world.clock.advance(5)
        world.parameters.broken = True
        assert await status(world, "kr_x") == 429
        assert world.relay.findings()[0]["code"] == "relay_guessing"


@pytest.mark.parametrize("text", [None, "no json", '{"keys": 1}'])
async def test_trouble_with_the_store_keeps_the_keys_as_they_were(text: str | None) -> None:
    """An outage or a broken parameter drops nobody; it is a finding until it is over."""
    async with relay_world() as world, world.client() as bot:
        world.parameters.text = text
        world.parameters.broken = text is None
        await world.relay.refresh_keys()
        assert [finding["code"] for finding in world.relay.findings()] == ["relay_keys"]
        assert await status(world, None) == 101
        await (await bot.ping())
        world.parameters.text, world.parameters.broken = None, False
        await world.relay.refresh_keys()
        assert world.relay.findings() == []


async def test_before_the_first_keys_nobody_gets_in() -> None:
    """503: it will pass."""
    world = World()
    world.parameters.broken = True
    async with world.relay:
        assert await status(world, None) == 503
        world.parameters.broken = False
        await world.relay.refresh_keys()
        assert await status(world, None) == 101


async def told(reader: asyncio.StreamReader) -> int:
    """Read to the end of a connection; gives the HTTP status that it was turned away with."""
    answer = await reader.read()
    assert b"\r\n\r\n" in answer
    return int(answer.split()[1])


@pytest.mark.promise(14)
async def test_a_stranger_must_hurry() -> None:
    """A connection that shows no key in time is told so, and cut."""
    async with relay_world(handshake_timeout=0.01) as world:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.relay.port)
        writer.write(b"GET / HTT")
        assert await told(reader) == 408
        assert world.relay.stats.refused == {408: 1}
        writer.close()


@pytest.mark.promise(14)
async def test_only_so_many_strangers_stand_at_the_door() -> None:
    """One more, and the one that waits longest is told 503, cut, and counted."""
    async with relay_world(handshakes=1) as world:
        first, writer = await asyncio.open_connection("127.0.0.1", world.relay.port)
        assert await status(world, None) == 101
        assert await told(first) == 503
        assert world.relay.stats.refused == {503: 1}
        writer.close()


@pytest.mark.promise(14)
async def test_strangers_of_one_address_push_out_their_own_only() -> None:
    """One address holds its share of the door and no more, and is told 429; another's handshake goes on."""
    async with relay_world(handshakes=100, handshakes_per_address=4, trusted_proxies=()) as world:
        other, patient = await asyncio.open_connection("127.0.0.1", world.relay.port, local_addr=("127.0.0.2", 0))
        held = [await asyncio.open_connection("127.0.0.1", world.relay.port) for _ in range(10)]
        assert [await told(reader) for reader, _ in held[:6]] == [429] * 6
        assert world.relay.stats.refused == {429: 6}
        assert len(list(world.relay._strangers)) == 5
        patient.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await told(other) == 426, "it was cut for its neighbours"
        for _, writer in [*held, (other, patient)]:
            writer.close()
        await until(lambda: not list(world.relay._strangers))
        assert world.relay._strangers._by_address == {}


async def test_a_proxy_of_ours_is_no_address() -> None:
    """All clients come through Caddy from one: only what it says of them in X-Forwarded-For counts them."""
    async with relay_world(handshakes=100, handshakes_per_address=4) as world:
        held = [await asyncio.open_connection("127.0.0.1", world.relay.port) for _ in range(10)]
        await until(lambda: len(list(world.relay._strangers)) == 10)
        assert await status(world, None) == 101
        assert world.relay.stats.refused == {}
        for _, writer in held:
            writer.close()


@pytest.mark.promise(14)
async def test_slow_strangers_do_not_shut_the_door() -> None:
    """However many hold a handshake open, who has a key gets in."""
    async with relay_world(handshakes=8) as world:
        held = [await asyncio.open_connection("127.0.0.1", world.relay.port) for _ in range(40)]
        for _ in range(3):
            assert await status(world, None) == 101
        for _, writer in held:
            writer.close()


async def test_the_whole_house_has_a_limit() -> None:
    """One client too many is told so."""
    async with relay_world(clients=1) as world, world.client(), world.client() as second:
        await second.wait_closed()
        assert second.close_code == 4009


def test_a_ticket_needs_a_key() -> None:
    """Without one, anybody could write tickets."""
    with pytest.raises(ValueError, match="key"):
        issue_ticket("", NOW + timedelta(), bytes(NONCE_SIZE))


async def test_relay_processes_may_share_a_port() -> None:
    """So that a relay can be scaled by a number, without a port for each."""
    async with relay_world(share_port=True) as one, relay_world(share_port=True, port=one.relay.port) as other:
        assert one.relay.port == other.relay.port
