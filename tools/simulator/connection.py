"""One ticker socket, from the simulator's side: what it is subscribed to, and everything that is written to it."""

import asyncio
import json
import struct
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from aiohttp import web

from tools.simulator.accounts import Session
from tools.simulator.market import Quote
from tools.simulator.packets import HEARTBEAT, frame

TEXT, BINARY = 0x1, 0x2
CACHED_PER_FRAME = 500
"""How many cached packets go into one message."""
BACKLOG_LIMIT = 16 << 20
"""Unsent bytes after which a client that does not read is dropped."""
_SHORT_LIMIT, _MEDIUM_LIMIT = 126, 1 << 16
_FIN = 0x80
_TURN = 1e-6
"""Seconds between two late messages, so that they keep their order."""


class Silence(StrEnum):
    """How a socket is broken without being closed."""

    NONE = "none"
    MUTED = "muted"
    """Heartbeats, and no packet."""
    STALLED = "stalled"
    """Not one byte is sent; what the client sends is read."""
    BLACK_HOLED = "black-holed"
    """Nothing is sent and nothing is read: a cable was pulled."""


def header(opcode: int, size: int) -> bytes:
    """Write the header of a WebSocket frame of a server: final, unmasked, uncompressed (RFC 6455, 5.2)."""
    if size < _SHORT_LIMIT:
        return bytes((_FIN | opcode, size))
    if size < _MEDIUM_LIMIT:
        return struct.pack(">BBH", _FIN | opcode, 126, size)
    return struct.pack(">BBQ", _FIN | opcode, 127, size)


class Connection:
    """A client's socket.

    Frames are written straight to the transport: a client that does not read holds up nobody else, and a
    malformed frame can be sent.

    Args:
        number: counts the sockets since the start.
        session: whose token opened it.
        socket: the open WebSocket.
        transport: the TCP connection under it.
        opened_at: when, for the state.
    """

    def __init__(
        self, number: int, session: Session, socket: web.WebSocketResponse, transport: asyncio.Transport, opened_at: str
    ) -> None:
        self.number = number
        self.session = session
        self.silence = Silence.NONE
        self.lag = 0.0
        """Seconds by which everything is sent late: a longer way than another socket's."""
        self.modes: dict[int, str] = {}
        self.frames = self.packets = self.texts = self.heartbeats = 0
        self._socket = socket
        self._transport = transport
        self._opened_at = opened_at
        self._due = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it can still be written to."""
        return not self._transport.is_closing()

    def beat(self, moved: Iterable[Quote]) -> None:
        """Send those of the moved quotes that the client is subscribed to, as one message."""
        modes = self.modes
        self.send([quote.packet(mode) for quote in moved if (mode := modes.get(quote.instrument.token))])

    def send(self, packets: list[bytes]) -> None:
        """Send packets as one message; nothing if there are none or the socket is silent."""
        if packets and self.silence is Silence.NONE:
            self.write(BINARY, frame(packets))
            self.frames += 1
            self.packets += len(packets)

    def send_cached(self, quotes: list[Quote]) -> None:
        """Send the latest packet of each, in the client's mode: what Kite does on a subscription."""
        for start in range(0, len(quotes), CACHED_PER_FRAME):
            self.beat(quotes[start : start + CACHED_PER_FRAME])

    def send_text(self, message: dict[str, Any]) -> None:
        """Send one text frame."""
        if self.silence in (Silence.NONE, Silence.MUTED):
            self.write(TEXT, json.dumps(message).encode())
            self.texts += 1

    def heartbeat(self) -> None:
        """Send the one byte that says that the connection lives."""
        if self.silence in (Silence.NONE, Silence.MUTED):
            self.write(BINARY, HEARTBEAT)
            self.heartbeats += 1

    def write(self, opcode: int, payload: bytes) -> None:
        """Write a frame whatever the silence; drops a client that has stopped reading."""
        self.write_raw(header(opcode, len(payload)) + payload)

    def write_raw(self, data: bytes) -> None:
        """Write bytes that need not be a frame at all; late if the socket lags, and always in order."""
        loop = asyncio.get_running_loop()
        if self.lag or self._due > loop.time():
            self._due = max(self._due + _TURN, loop.time() + self.lag)
            loop.call_at(self._due, self._write_now, data)
        else:
            self._write_now(data)

    def _write_now(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > BACKLOG_LIMIT:
            self.drop()

    def hush(self, silence: Silence) -> None:
        """Break the socket, or mend it."""
        if silence is Silence.BLACK_HOLED:
            self._transport.pause_reading()
        elif self.silence is Silence.BLACK_HOLED and self.is_open:
            self._transport.resume_reading()
        self.silence = silence

    def drop(self) -> None:
        """End the TCP connection without a close frame."""
        self._transport.abort()

    async def close(self, code: int, reason: str) -> None:
        """End it as RFC 6455 has it."""
        await self._socket.close(code=code, message=reason.encode())

    def summary(self) -> dict[str, Any]:
        """Tell about it, for the state."""
        return {
            "socket": self.number,
            "generation": self.session.generation,
            "fingerprint": self.session.fingerprint,
            "opened_at": self._opened_at,
            "silence": self.silence.value,
            "lag_ms": self.lag * 1000,
            "instruments": len(self.modes),
            "frames": self.frames,
            "packets": self.packets,
            "texts": self.texts,
            "heartbeats": self.heartbeats,
        }
