"""A plain ticker client, for the tests of the simulator."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tools.simulator import Simulator
from tools.simulator.packets import split

RELIANCE, INFY, NIFTY = 738561, 408065, 256265
MESSAGE_TIMEOUT = 5


class Client:
    """A plain ticker client."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def say(self, action: str, value: Any) -> None:
        """Send one of Kite's messages."""
        await self.socket.send_str(json.dumps({"a": action, "v": value}))

    async def packets(self) -> list[bytes]:
        """Give the packets of the next message that has any."""
        while True:
            message = await self.socket.receive(MESSAGE_TIMEOUT)
            if message.type is aiohttp.WSMsgType.BINARY and len(message.data) > 1:
                return list(split(message.data))
            assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), message

    async def text(self) -> dict[str, Any]:
        """Give the next text message, but for the greeting."""
        while True:
            message = await self.socket.receive(MESSAGE_TIMEOUT)
            if message.type is aiohttp.WSMsgType.TEXT and "instruments_meta" not in message.data:
                return dict(json.loads(message.data))
            assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), message

    async def ending(self) -> aiohttp.WSMsgType:
        """Wait for the end; gives how it came."""
        while True:
            message = await self.socket.receive(MESSAGE_TIMEOUT)
            if message.type not in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
                return message.type

    async def hears_nothing(self, seconds: float = 0.15) -> bool:
        """Listen for a while; what was on its way already does not count."""
        loop = asyncio.get_running_loop()
        quiet_from = loop.time()
        while loop.time() - quiet_from < seconds:
            try:
                message = await self.socket.receive(seconds)
            except TimeoutError:
                return True
            if message.type not in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
                return False
        return False


@asynccontextmanager
async def client(http: aiohttp.ClientSession, sim: Simulator, token: str) -> AsyncIterator[Client]:
    """Open a ticker socket."""
    url = f"{sim.ticker_root}?api_key={sim.accounts.api_key}&access_token={token}"
    async with http.ws_connect(url, max_msg_size=0) as socket:
        yield Client(socket)


async def rejected(http: aiohttp.ClientSession, sim: Simulator, token: str) -> int:
    """Dial, expecting a refusal; gives its status."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        async with client(http, sim, token):
            pass
    return refusal.value.status
