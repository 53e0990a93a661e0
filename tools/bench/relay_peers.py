"""The other ways to relay, for `make bench NAME=relay`: each spreads the same frames from the same feed.

usage: python -m tools.bench.relay_peers WAY PORT FEED_PORT

json       what the field does: every tick is parsed by the official parser, a task per client encodes and writes it,
           and all of a tick's tasks are gathered, as in openalgo's proxy
json-turn  the same without tasks, one client after the other: the cheapest way that encodes for each client
json-once  the same, but each tick is encoded once
broadcast  `websockets`' connections; each client's frame by its `broadcast`
transport  `websockets`' connections; frames are built here and written to their transports
picows     picows' server and its `send`
They have no keys, heartbeats or slow clients; the relay that they are measured against has.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import picows
from kiteconnect import KiteTicker
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

from kite_relay.domain.ticks import index, join

LENGTH = 4
Spread = Callable[[bytes], Awaitable[None]]


class Clients:
    """Who wants what, with whatever the way needs to write to a client."""

    def __init__(self) -> None:
        self.wants: dict[Any, set[int]] = {}

    def hear(self, client: Any, text: str) -> None:
        """Take `{"a": "mode", "v": ["full", [tokens]]}`."""
        self.wants[client] = set(json.loads(text)["v"][1])

    def shares(self, frame: bytes) -> Iterable[tuple[Any, list[bytes]]]:
        """Give each client with its packets of a frame."""
        found = {token: frame[offset : offset + length] for token, offset, length in index(frame)}
        for client, wanted in list(self.wants.items()):
            packets = [packet for token, packet in found.items() if token in wanted]
            if packets:
                yield client, packets


def json_turn_way(clients: Clients, *, once: bool) -> Spread:
    """Write a JSON object per tick to one client after the other."""
    parse = KiteTicker("key", "token")._parse_binary  # noqa: SLF001 - what `on_ticks` gives

    async def spread(frame: bytes) -> None:
        for tick in parse(frame):
            text = json.dumps(tick, default=str) if once else ""
            for client, wanted in list(clients.wants.items()):
                if tick["instrument_token"] in wanted:
                    await client.send(text or json.dumps(tick, default=str))

    return spread


def json_way(clients: Clients) -> Spread:
    """Do what openalgo's proxy does with a tick: encode and send it in a task per client, and wait for all of them."""
    parse = KiteTicker("key", "token")._parse_binary  # noqa: SLF001 - what `on_ticks` gives

    async def send(client: ServerConnection, tick: dict[str, Any]) -> None:
        await client.send(json.dumps(tick, default=str))

    async def spread(frame: bytes) -> None:
        for tick in parse(frame):
            token = tick["instrument_token"]
            takers = [client for client, wanted in clients.wants.items() if token in wanted]
            await asyncio.gather(*(send(client, tick) for client in takers), return_exceptions=True)

    return spread


def broadcast_way(clients: Clients) -> Spread:
    """Let `websockets` write each client's frame without waiting."""

    async def spread(frame: bytes) -> None:
        for client, packets in clients.shares(frame):
            broadcast([client], join(packets))

    return spread


def head(size: int) -> bytes:
    """Write the head of a binary WebSocket frame."""
    if size < 126:  # noqa: PLR2004 - RFC 6455
        return bytes((0x82, size))
    if size < 65_536:  # noqa: PLR2004 - RFC 6455
        return b"\x82\x7e" + size.to_bytes(2, "big")
    return b"\x82\x7f" + size.to_bytes(8, "big")


def transport_way(clients: Clients) -> Spread:
    """Write built frames past `websockets`' connections."""

    async def spread(frame: bytes) -> None:
        for client, packets in clients.shares(frame):
            payload = join(packets)
            client.transport.write(head(len(payload)) + payload)

    return spread


def picows_way(clients: Clients) -> Spread:
    """Let picows write each client's frame."""

    async def spread(frame: bytes) -> None:
        for client, packets in clients.shares(frame):
            client.send(picows.WSMsgType.BINARY, join(packets))

    return spread


class PicowsListener(picows.WSListener):
    """One client of picows."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        """Take a command."""
        self._clients.hear(transport, frame.get_payload_as_utf8_text())

    def on_ws_disconnected(self, transport: Any) -> None:
        """Forget a client."""
        self._clients.wants.pop(transport, None)


async def open_door(way: str, port: int, clients: Clients) -> None:
    """Let clients in."""

    async def greet(client: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in client:
                clients.hear(client, str(message))
        clients.wants.pop(client, None)

    if way == "picows":
        await picows.ws_create_server(lambda _request: PicowsListener(clients), "127.0.0.1", port)
    else:
        await serve(greet, "127.0.0.1", port, compression=None)


async def run(way: str, port: int, feed_port: int) -> None:
    """Relay until the feed ends."""
    clients = Clients()
    ways: dict[str, Callable[[], Spread]] = {
        "json": lambda: json_way(clients),
        "json-turn": lambda: json_turn_way(clients, once=False),
        "json-once": lambda: json_turn_way(clients, once=True),
        "broadcast": lambda: broadcast_way(clients),
        "transport": lambda: transport_way(clients),
        "picows": lambda: picows_way(clients),
    }
    spread = ways[way]()
    await open_door(way, port, clients)

    async def feed(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        while size := await reader.read(LENGTH):
            await spread(await reader.readexactly(int.from_bytes(size, "little")))

    await asyncio.start_server(feed, "127.0.0.1", feed_port, limit=1 << 22)
    print("READY", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
