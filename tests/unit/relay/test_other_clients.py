"""The official clients that cannot run here, each by its manners on the wire, as its source has them.

Written down on 2026-11-24 from the repositories named below: the handshake byte for byte, the commands as it writes
them, how it keeps a connection alive, and what it does when the relay closes.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from websockets.utils import accept_key

from kite_relay.domain.ticks import HEARTBEAT, join
from tests.fakes.relay_world import INFY, World, full_packet, relay_world, until
from worker.relay_settings import RelaySettings

NONCE = "AQIDBAUGBwgJCgsMDQ4PEA=="
TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A


@dataclass(frozen=True)
class Manners:
    """How a client behaves; `{key}`, `{host}` and `{nonce}` stand for what differs."""

    handshake: tuple[str, ...]
    says: tuple[str, ...]
    """What it sends when it is asked for one instrument in full mode."""
    patience: float
    """Seconds without a message (Java: without a pong) after which it leaves."""
    pings: int | None = None
    """What it sends by itself to keep the connection: pings, or pongs that nobody asked for."""
    answers_close: bool = True


MANNERS = {
    # zerodha/gokiteconnect ticker/ticker.go: checkConnection, handleClose; gorilla/websocket client.go; net/http sorts
    "go": Manners(
        (
            "GET /?access_token={key}&api_key=bot HTTP/1.1",
            "Host: {host}",
            "User-Agent: Go-http-client/1.1",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: {nonce}",
            "Sec-WebSocket-Version: 13",
            "Upgrade: websocket",
        ),
        ('{"a":"subscribe","v":[408065]}', '{"a":"mode","v":["full",[408065]]}'),
        patience=5.0,
        answers_close=False,
    ),
    # zerodha/javakiteconnect kiteconnect/src/com/zerodhatech/ticker/KiteTicker.java: pingInterval, getTask;
    # TakahikoKawasaki/nv-websocket-client HandshakeBuilder.java
    "java": Manners(
        (
            "GET /?access_token={key}&api_key=bot HTTP/1.1",
            "Host: {host}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: {nonce}",
        ),
        ('{"a":"subscribe","v":[408065]}', '{"a":"mode","v":["full",[408065]]}'),
        patience=5.0,
        pings=PING,
    ),
    # zerodha/dotnetkiteconnect KiteConnect/Ticker.cs: _onTimerTick, ReSubscribe, _onData; WebSocket.cs: Close;
    # dotnet/runtime WebSocketHandle.Managed.cs
    "dotnet": Manners(
        (
            "GET /?api_key=bot&access_token={key} HTTP/1.1",
            "Host: {host}",
            "X-Kite-Version: 3",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: {nonce}",
        ),
        (
            '{"a":"unsubscribe","v":[408065]}',
            '{"a":"subscribe","v":[408065]}',
            '{"a":"mode","v":["full", [408065]]}',
        ),
        patience=5.0,
        pings=PONG,
        answers_close=False,
    ),
    # zerodha/kiteconnect-rs src/ticker.rs; housleyjk/ws-rs src/handshake.rs (ws 0.7)
    "rust": Manners(
        (
            "GET /?api_key=bot&access_token={key} HTTP/1.1",
            "Connection: Upgrade",
            "Host: {host}",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: {nonce}",
            "Upgrade: websocket",
            "X-Kite-Version: 3",
        ),
        ('{"a":"subscribe","v":[408065]}', '{"a":"mode","v":["full",[408065]]}'),
        patience=float("inf"),
    ),
    # zerodha/phpkiteconnect src/KiteTicker.php: sendSubscription; ratchetphp/Pawl src/Connector.php: it sends an Origin
    "php": Manners(
        (
            "GET /?api_key=bot&access_token={key}&uid=1795499700000 HTTP/1.1",
            "Host: {host}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: {nonce}",
            "User-Agent: Ratchet-Pawl/0.4.1",
            "Origin: https://127.0.0.1",
        ),
        ('{"a":"mode","v":["full",[408065]]}',),
        patience=float("inf"),
    ),
}
each = pytest.mark.parametrize("manners", [pytest.param(manners, id=name) for name, manners in MANNERS.items()])


class Wire:
    """A connection, as bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    def send(self, opcode: int, payload: bytes = b"") -> None:
        """Send a frame, masked as a client's must be."""
        mask = b"\x0b\x16\x21\x2c"
        self._writer.write(bytes([opcode, 0x80 | len(payload)]) + mask)
        self._writer.write(bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload)))

    async def receive(self, *opcodes: int) -> tuple[int, bytes]:
        """Receive the next frame of these kinds."""
        while True:
            opcode, size = await self.reader.readexactly(2)
            if size == 126:
                size = int.from_bytes(await self.reader.readexactly(2), "big")
            payload = await self.reader.readexactly(size)
            if opcode in opcodes:
                return opcode, payload


@asynccontextmanager
async def shaken(world: World, manners: Manners, key: str) -> AsyncIterator[tuple[str, Wire]]:
    """Shake hands as this client does; gives the answer's head too."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.relay.port)
    request = "\r\n".join((*manners.handshake, "", ""))
    writer.write(request.format(key=key, host=f"127.0.0.1:{world.relay.port}", nonce=NONCE).encode())
    yield (await reader.readuntil(b"\r\n\r\n")).decode(), Wire(reader, writer)
    writer.close()


@asynccontextmanager
async def connected(world: World, manners: Manners) -> AsyncIterator[Wire]:
    """Connect, and ask for one instrument in full mode."""
    async with shaken(world, manners, world.key) as (head, wire):
        assert head.startswith("HTTP/1.1 101 ")
        for text in manners.says:
            wire.send(TEXT, text.encode())
        await until(lambda: world.wanted.get("relay") == {INFY: "full"})
        yield wire


@each
async def test_its_handshake_is_answered(manners: Manners) -> None:
    """With the answer that belongs to it, and no extension or protocol that it did not ask for."""
    async with relay_world() as world, shaken(world, manners, world.key) as (head, _):
        lines = head.lower().splitlines()
        assert lines[0].startswith("http/1.1 101 ")
        assert f"sec-websocket-accept: {accept_key(NONCE)}".lower() in lines
        assert {"connection: upgrade", "upgrade: websocket"} <= set(lines)
        assert not any(line.startswith(("sec-websocket-extensions", "sec-websocket-protocol")) for line in lines)


@each
async def test_a_wrong_key_is_a_403_in_its_handshake(manners: Manners) -> None:
    """As Kite answers a dead token."""
    async with relay_world() as world, shaken(world, manners, "kr_wrong") as (head, _):
        assert head.startswith("HTTP/1.1 403 ")


@each
async def test_its_commands_bring_ticks(manners: Manners) -> None:
    """Whole packets, whichever way it asks for them."""
    async with relay_world() as world, connected(world, manners) as wire:
        world.tick(full_packet(INFY, 7))
        assert await wire.receive(TEXT, BINARY) == (BINARY, join([full_packet(INFY, 7)]))


@each
async def test_it_is_kept_alive(manners: Manners) -> None:
    """By heartbeats when nothing comes, and by the answers to its pings; what it sends by itself is no mistake."""
    assert RelaySettings().heartbeat * 2 < manners.patience
    async with relay_world(heartbeat=0.01) as world, connected(world, manners) as wire:
        assert await wire.receive(TEXT, BINARY) == (BINARY, HEARTBEAT)
        if manners.pings:
            wire.send(manners.pings)
        if manners.pings == PING:
            assert await wire.receive(PONG, TEXT) == (PONG, b"")
        assert await wire.receive(TEXT, BINARY) == (BINARY, HEARTBEAT)


@each
async def test_an_error_text_is_one_that_it_can_read(manners: Manners) -> None:
    """An object with a type and a string: Go's client would panic on anything else as data."""
    async with relay_world() as world, connected(world, manners) as wire:
        wire.send(TEXT, b'{"a":"mode","v":["depth",[1]]}')
        _, payload = await wire.receive(TEXT)
        message = json.loads(payload)
        assert (message["type"], type(message["data"])) == ("error", str)


@each
async def test_its_end_is_told_by_a_code_and_costs_nothing(manners: Manners) -> None:
    """Go's and .NET's never answer a close, and leave their end of the line open: the relay waits for nobody."""
    async with relay_world(close_timeout=0.1) as world, connected(world, manners) as wire:
        world.parameters.ring = world.parameters.ring.remove("bot")
        await world.relay.refresh_keys()
        _, payload = await wire.receive(CLOSE)
        assert int.from_bytes(payload[:2], "big") == 4001
        if manners.answers_close:
            wire.send(CLOSE, payload[:2])
        assert await wire.reader.read() == b""
        await until(lambda: not world.relay._clients)
        assert world.relay.stats.closes == {4001: 1}
