"""Every way in which the simulator misbehaves when told to."""

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.integration.simulator.client import MESSAGE_TIMEOUT, NIFTY, RELIANCE, client, rejected
from tools.simulator import Simulator
from tools.simulator.packets import Tally


async def test_silences(http: aiohttp.ClientSession, sim: Simulator) -> None:
    """Muted: heartbeats only. Stalled and black-holed: nothing. Calm: all again."""
    async with client(http, sim, sim.mint()["access_token"]) as one:
        await one.say("subscribe", [RELIANCE])
        await one.packets()
        sim.mute()
        sim.step()
        assert (await one.socket.receive(MESSAGE_TIMEOUT)).data == b"\x00"
        sim.stall()
        assert await one.hears_nothing()
        sim.blackhole()
        await one.say("subscribe", [NIFTY])
        assert await one.hears_nothing()
        assert sim.state()["sockets"][0]["instruments"] == 1
        sim.calm()
        assert len((await one.packets())[0]) == 28


async def test_silence_may_await_new_sockets(http: aiohttp.ClientSession, sim: Simulator) -> None:
    """A handshake that succeeds, and then nothing."""
    sim.stall(new=True)
    async with client(http, sim, sim.mint()["access_token"]) as one:
        await one.say("subscribe", [RELIANCE])
        assert await one.hears_nothing()


async def test_endings(http: aiohttp.ClientSession, sim: Simulator) -> None:
    """With a close frame and its code, or cut off."""
    token = sim.mint()["access_token"]
    async with client(http, sim, token) as one:
        sim.close(4000, "enough")
        assert await one.ending() is aiohttp.WSMsgType.CLOSE
        assert one.socket.close_code == 4000
    async with client(http, sim, token) as one:
        sim.drop()
        assert await one.ending() is aiohttp.WSMsgType.CLOSED
        assert one.socket.close_code == 1006


async def test_a_refusal_counts_down(http: aiohttp.ClientSession, sim: Simulator) -> None:
    """One 403 with a good token, as with the free plan; then all is well."""
    token = sim.mint()["access_token"]
    sim.refuse(403, times=1)
    assert await rejected(http, sim, token) == 403
    async with client(http, sim, token):
        pass


async def test_a_handshake_can_be_late(http: aiohttp.ClientSession, sim: Simulator) -> None:
    """No earlier than it was told."""
    token = sim.mint()["access_token"]
    sim.delay(handshake_ms=80)
    started = asyncio.get_running_loop().time()
    async with client(http, sim, token):
        assert asyncio.get_running_loop().time() - started >= 0.08


async def test_a_socket_can_lag_behind_another(http: aiohttp.ClientSession, sim: Simulator) -> None:
    """Later, but in order, and nothing lost; also when the lag ends."""
    token = sim.mint()["access_token"]
    tally, loop = Tally(), asyncio.get_running_loop()
    async with client(http, sim, token) as one, client(http, sim, token) as two:
        for each in (one, two):
            await each.say("subscribe", [RELIANCE])
            await each.packets()
        sim.lag(80, socket=2)
        started = loop.time()
        sim.step(5)
        sim.calm()
        sim.step(5)
        for _ in range(10):
            await one.packets()
        for number in range(10):
            tally.packet((await two.packets())[0])
            assert number or loop.time() - started >= 0.08
    assert (tally.packets, tally.lost, tally.duplicates) == (10, 0, 0)


async def test_a_flood_loses_nothing(http: aiohttp.ClientSession, sim: Simulator) -> None:
    """All frames at once, each with the next sequence number."""
    tally = Tally()
    async with client(http, sim, sim.mint()["access_token"]) as one:
        await one.say("subscribe", [RELIANCE])
        await one.packets()
        sim.flood(500)
        for _ in range(500):
            for packet in await one.packets():
                tally.packet(packet)
    assert (tally.packets, tally.lost, tally.duplicates) == (500, 0, 0)


@pytest.mark.parametrize("kind", ["truncated", "count", "length", "one-byte", "text", "list", "huge"])
async def test_malformed_frames_arrive(http: aiohttp.ClientSession, sim: Simulator, kind: Any) -> None:
    """And the socket goes on."""
    async with client(http, sim, sim.mint()["access_token"]) as one:
        await one.say("subscribe", [RELIANCE])
        await one.packets()
        sim.malformed(kind)
        sim.step()
        while True:
            message = await one.socket.receive(MESSAGE_TIMEOUT)
            if message.type is aiohttp.WSMsgType.BINARY and len(message.data) == 48:
                break
            assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT)


@pytest.mark.parametrize("kind", ["utf8", "opcode"])
async def test_a_broken_protocol_ends_a_socket(http: aiohttp.ClientSession, sim: Simulator, kind: Any) -> None:
    """What RFC 6455 forbids is the client's reason to leave."""
    async with client(http, sim, sim.mint()["access_token"]) as one:
        sim.malformed(kind)
        assert await one.ending() in (aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSED)
