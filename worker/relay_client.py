"""One client of the relay: its handshake, its messages, its pace.

`websockets`' core speaks the protocol; this class moves the bytes. The core makes no sound and parses what comes in;
what goes out in bulk is written past it, as ready frames, straight to the transport.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable, Mapping
from fcntl import ioctl
from http import HTTPStatus
from struct import unpack
from termios import TIOCOUTQ
from typing import TYPE_CHECKING, Any, Protocol, cast

from websockets.frames import CloseCode as WireCode
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from kite_relay.domain.relay_keys import Scope
from worker.relay_door import Guest, RefusedError
from worker.relay_fanout import binary_frame, text_frame
from worker.relay_messages import error_text
from worker.relay_settings import CloseCode, RelaySettings

if TYPE_CHECKING:
    from kite_relay.domain.ticks import Mode

_SILENT = logging.Logger("kite_relay.wire", logging.WARNING)  # noqa: LOG001 - nobody may turn it to DEBUG: URLs hold keys
MAX_TEXTS = 1000
"""Order updates kept for a client that takes no bytes; they must not be conflated, and one more ends it."""
_TOO_LATE = RefusedError(HTTPStatus.REQUEST_TIMEOUT, "No key was shown in time.")
LOOKS = 5
"""How often within the send timeout it is looked whether a client took a byte."""


class Host(Protocol):
    """The relay, as a client sees it."""

    settings: RelaySettings

    def arrived(self, client: "Client") -> None:
        """Take a connection that has not shown a key yet."""
        ...

    def refused(self, status: int) -> None:
        """Count somebody who was turned away before he had shown a key."""
        ...

    async def admit(self, request: Request, peer: str) -> Guest:
        """Let a client in; raises `RefusedError`."""
        ...

    def opened(self, client: "Client") -> None:
        """Take a client whose handshake is done."""
        ...

    def heard(self, client: "Client", text: str) -> None:
        """Take one message of a client."""
        ...

    def stuck(self, client: "Client") -> None:
        """Stop writing to a client: it takes no bytes."""
        ...

    def unstuck(self, client: "Client") -> None:
        """Write to a client again."""
        ...

    def closing(self, client: "Client") -> None:
        """Send a client nothing more: its closing handshake has begun."""
        ...

    def conflated(self, client: "Client", count: int) -> None:
        """Count ticks that a newer one replaced."""
        ...

    def gone(self, client: "Client", code: int) -> None:
        """Forget a client; `code` says how it ended."""
        ...


class Wire(ServerProtocol):
    """`websockets`' core with the relay's close codes and an error text before a limit closes."""

    def fail(self, code: WireCode | int, reason: str = "") -> None:
        """Fail the connection with a code of ours."""
        if self.state is State.OPEN:
            if code == WireCode.MESSAGE_TOO_BIG:
                self.send_text(error_text(f"limit: a message has {self.max_message_size} bytes at most").encode())
                code, reason = CloseCode.LIMIT, "message size"
            elif code in (WireCode.PROTOCOL_ERROR, WireCode.INVALID_DATA):
                code, reason = CloseCode.PROTOCOL, reason[:100]
        super().fail(int(code), reason)


class Client(asyncio.Protocol):
    """A connection, from its first byte to its end.

    Args:
        host: the relay.
    """

    write: Callable[[bytes], None]
    send: Callable[[bytes], int]
    transport: asyncio.Transport

    def __init__(self, host: Host) -> None:
        self._host = host
        self._wire = Wire(max_size=host.settings.message_size, logger=_SILENT)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._admission: asyncio.Task[None] | None = None
        self._parts: list[bytes] = []
        self._backlog: dict[bytes, bytes] = {}
        self._texts: list[bytes] = []
        self._credit = float(host.settings.message_burst)
        self._credited = self._loop.time()
        self._ended = 0
        self.paused = False
        self.guest: Guest | None = None
        self.modes: Mapping[int, Mode] = {}
        self.mistakes = 0

    # ---- the connection's life --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: the handshake must follow soon."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=0)
        self.write = self.transport.write
        # asyncio's socket has no `send`; this is the same one, and asyncio closes it
        self._socket = socket.socket(fileno=self.transport.get_extra_info("socket").fileno())
        self._socket.settimeout(0)
        self.send = self._socket.send
        _tune(self._socket, self._host.settings)
        self._arm(self._host.settings.handshake_timeout, lambda: self.refuse(_TOO_LATE))
        self._host.arrived(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes from the network."""
        self._wire.receive_data(data)
        for event in self._wire.events_received():
            if isinstance(event, Request):
                self._admission = self._loop.create_task(self._admit(event))
            elif isinstance(event, Frame):
                self._take(event)
        self._drain()

    def eof_received(self) -> None:
        """Take the end of the client's bytes."""
        self._wire.receive_eof()
        self._drain()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """End: free everything."""
        self._disarm()
        self._socket.detach()
        if self._admission:
            self._admission.cancel()
        self._backlog.clear()
        self._texts.clear()
        received = self._wire.close_rcvd
        self._host.gone(self, self._ended or (received.code if received else WireCode.ABNORMAL_CLOSURE))

    def close(self, code: CloseCode, reason: str) -> None:
        """Close with a code that says why, and give the client a moment to answer."""
        if self._wire.state is State.OPEN:
            self._ended = self._ended or code
            self._wire.send_close(code, reason)
            self._drain()

    def abort(self, code: CloseCode) -> None:
        """Cut the connection: the client takes no bytes, so no close code would reach it either."""
        self._ended = self._ended or code
        self.transport.abort()

    def refuse(self, refusal: RefusedError) -> None:
        """Turn away a connection that has shown no key; nothing waits for it to hear why."""
        body = refusal.sentence + "\n"
        head = f"HTTP/1.1 {refusal.status.value} {refusal.status.phrase}\r\nConnection: close\r\n"
        self.transport.write(f"{head}Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        self.transport.abort()
        self._host.refused(refusal.status)

    # ---- in ---------------------------------------------------------------------------------------------------------

    async def _admit(self, request: Request) -> None:
        response = self._wire.accept(request)
        guest = None
        if response.status_code == 101:  # noqa: PLR2004 - Switching Protocols
            try:
                guest = await self._host.admit(request, self.peer)
            except RefusedError as refusal:
                response = self._wire.reject(refusal.status, refusal.sentence + "\n")
        if self.transport.is_closing():
            return
        self._wire.send_response(response)
        self._drain()
        if guest:
            self._disarm()
            self.guest = guest
            self._host.opened(self)

    @property
    def peer(self) -> str:
        """The address that it comes from."""
        peer = self.transport.get_extra_info("peername")
        return str(peer[0]) if isinstance(peer, tuple) else "local"

    def _take(self, frame: Frame) -> None:
        if self._wire.state is not State.OPEN or not self._pay(frame):
            return
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._parts.append(bytes(frame.data))
            if frame.fin:
                payload, self._parts = b"".join(self._parts), []
                self._host.heard(self, payload.decode(errors="replace"))

    def _pay(self, frame: Frame) -> bool:
        """Count a message against the client's rate; tells whether it may be taken."""
        settings, now = self._host.settings, self._loop.time()
        earned = (now - self._credited) * settings.message_rate
        self._credit = min(self._credit + earned, settings.message_burst) - 1 - len(frame.data) // 1000
        self._credited = now
        if self._credit >= 0:
            return True
        self.error(f"limit: {settings.message_rate:g} messages per second, {settings.message_burst} at once")
        self.close(CloseCode.LIMIT, "message rate")
        return False

    # ---- out --------------------------------------------------------------------------------------------------------

    def error(self, sentence: str) -> None:
        """Tell the client what is wrong, as Kite does; the connection stays."""
        self.send_text(text_frame(error_text(sentence)))

    def send_text(self, frame: bytes) -> None:
        """Write a ready text frame, or keep it for a client that takes no bytes: texts are never dropped."""
        if not self.paused:
            self.write(frame)
        elif len(self._texts) < MAX_TEXTS:
            self._texts.append(frame)
        else:
            self.abort(CloseCode.SLOW)

    def send_packets(self, pieces: list[bytes]) -> None:
        """Write packed packets, or keep the newest of each instrument."""
        if self.paused:
            self.conflate(pieces)
        elif pieces:
            self.write(binary_frame(pieces))

    def conflate(self, pieces: Iterable[bytes]) -> None:
        """Keep packed packets until the client takes bytes again; the newest of an instrument is enough."""
        before, offered = len(self._backlog), 0
        for piece in pieces:
            self._backlog[piece[2:6]] = piece
            offered += 1
        replaced = offered - (len(self._backlog) - before)
        if replaced:
            self._host.conflated(self, replaced)

    def may(self, scope: Scope) -> bool:
        """Tell whether the client's key has a scope."""
        return self.guest is not None and scope in self.guest.scopes

    def pause_writing(self) -> None:
        """Hold back: the kernel takes no more bytes for this client."""
        self.paused = True
        self._host.stuck(self)
        if self._timer is None:
            self._watch(self._unsent(), self._loop.time())

    def resume_writing(self) -> None:
        """Catch up: what was kept goes out at once."""
        self.paused = False
        if self._wire.state is not State.OPEN:
            return
        self._disarm()
        texts, self._texts = self._texts, []
        pieces, self._backlog = list(self._backlog.values()), {}
        frames = texts + ([binary_frame(pieces)] if pieces else [])
        if frames:
            self.write(b"".join(frames))
        if not self.paused:
            self._host.unstuck(self)

    def _watch(self, least: int, since: float) -> None:
        self._arm(self._host.settings.send_timeout / LOOKS, lambda: self._judge(least, since))

    def _judge(self, least: int, since: float) -> None:
        """Drop a client that has taken no byte for the send timeout; one that is only slow stays."""
        unsent, now = self._unsent(), self._loop.time()
        if unsent < least:
            since = now
        if now - since >= self._host.settings.send_timeout:
            self.abort(CloseCode.SLOW)
        else:
            self._watch(min(unsent, least), since)

    def _unsent(self) -> int:
        """Count the bytes that the client has not taken, those in the kernel too.

        The kernel lets nobody write before a third of its buffer is free: until then only it knows what is taken.
        """
        try:
            (queued,) = unpack("i", ioctl(self._socket, TIOCOUTQ, bytes(4)))
        except OSError:  # not Linux
            queued = 0
        return self.transport.get_write_buffer_size() + int(queued)

    def _drain(self) -> None:
        """Write what the core has to say."""
        for data in self._wire.data_to_send():
            if data:
                self.transport.write(data)
            elif self.transport.can_write_eof():
                self.transport.write_eof()
        if self._wire.state in (State.CLOSING, State.CLOSED) and self.write is not _drop:
            self.write = _drop
            self._host.closing(self)
        if self._wire.close_expected():
            self._arm(self._host.settings.close_timeout, self.transport.abort)

    def _arm(self, delay: float, callback: Callable[[], Any]) -> None:
        self._disarm()
        self._timer = self._loop.call_later(delay, callback)

    def _disarm(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None


def _drop(_: bytes) -> None:
    """Write nothing: after a close frame nothing may follow."""


def _tune(connection: socket.socket, settings: RelaySettings) -> None:
    """Keep the kernel's share of a client's buffer small, and let it notice a host that vanished."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, settings.send_buffer)
    if hasattr(socket, "TCP_USER_TIMEOUT") and connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(settings.dead_timeout * 1000))
