"""Compare how we read a connection's bytes with how autobahn does, on random streams cut anywhere.

A program of its own: importing kiteconnect takes the process's reactor.
"""

import random
import re
import sys
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha1

from kiteconnect.ticker import KiteTickerClientFactory, KiteTickerClientProtocol
from twisted.internet.testing import StringTransport

from worker.upstream_wire import QuickProtocol

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SHORT, LONG = 126, 65_536
CONTROL_SIZES = (0, 1, 2, SHORT - 1)
SIZES = (*CONTROL_SIZES * 2, SHORT, 127, 300, 0x8202, LONG - 1, LONG)
TEXT = 0x81
BETWEEN = (0x82, 0x82, 0x82, 0x82, TEXT, 0x89, 0x8A, 0x02, 0x02)
"""How a frame may begin: binary, text, ping, pong, and the first piece of a binary message."""
INSIDE = (0x00, 0x80, 0x80, 0x89)
"""The same inside of a message: a piece in the middle, the last one, ping."""
BROKEN = (0x88, 0x00, 0xC2, 0x83, 0x82, 0x82, 0x82)
"""The end, and what breaks the protocol: here, or with a mask."""
RARE = 0.05
HALF = 0.5
PAYLOAD = b"\x82\x02\x7e\x00\x01" * 14_000
"""Looks like frames wherever a reader goes astray."""


def random_frames(source: random.Random) -> list[bytes]:
    """Make what a server may send, and sometimes what it may not."""
    frames, inside = [], False
    for _ in range(source.randrange(25)):
        rare = source.random() < RARE
        head = source.choice(BROKEN if rare else INSIDE if inside else BETWEEN)
        size = source.choice(CONTROL_SIZES if head & 0x08 else SIZES)
        payload = b"a" * size if head == TEXT else PAYLOAD[:size]
        frames.append(frame(head, payload, masked=rare and source.random() < HALF))
        if not head & 0x08:
            inside = not head & 0x80
    return frames


def frame(head: int, payload: bytes, *, masked: bool) -> bytes:
    """Write a frame."""
    size, mask = len(payload), 0x80 if masked else 0
    if size < SHORT:
        return bytes([head, mask | size]) + payload
    if size < LONG:
        return bytes([head, mask | 126]) + size.to_bytes(2, "big") + payload
    return bytes([head, mask | 127]) + size.to_bytes(8, "big") + payload


def pieces(frames: list[bytes], source: random.Random) -> Iterator[bytes]:
    """Let frames arrive as they were sent, or cut anywhere."""
    if source.random() < HALF:
        yield from frames
        return
    stream = b"".join(frames)
    most = source.choice((1 << 20, 1 << 16, 500))
    while stream:
        size = source.choice((1, 2, 3, source.randint(1, most)))
        yield stream[:size]
        stream = stream[size:]


class Transport(StringTransport):
    """Keeps what is written; may be left by a producer that never came."""

    def unregisterProducer(self) -> None:  # noqa: N802 - Twisted's name
        """Let it pass."""


class Heard:
    """What one reader makes of a stream."""

    def __init__(self, protocol: type[KiteTickerClientProtocol], stops_at: int) -> None:
        self.heard: list[object] = []
        self._stops_at = stops_at
        factory = KiteTickerClientFactory("ws://127.0.0.1:1/")
        factory.protocol = protocol
        factory.on_message = self._on_message
        factory.on_close = lambda _, code, reason: self.heard.append((code, reason))
        self.protocol = factory.buildProtocol(None)
        self.protocol.onPing = self.heard.append
        self.protocol.onPong = self.heard.append
        self.protocol._loop_ping = self.protocol._loop_pong_check = lambda: None  # no timers
        self.transport = Transport()  # type: ignore[no-untyped-call]  # Twisted's own gap
        self.protocol.makeConnection(self.transport)
        found = re.search(rb"(?i)sec-websocket-key: (\S+)", self.written())
        accept = b64encode(sha1((found[1] if found else b"") + GUID).digest())  # noqa: S324 - RFC 6455 has it so
        answer = (b"HTTP/1.1 101 S", b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Accept: " + accept)
        self.protocol.dataReceived(b"\r\n".join((*answer, b"", b"")))
        self.transport.clear()  # type: ignore[no-untyped-call]  # Twisted's own gap

    def take(self, data: bytes) -> None:
        """Let bytes arrive, and note what the reader has said and where it stands."""
        self.protocol.dataReceived(data)
        self.heard.append((self.protocol.state, len(self.written()), self.transport.disconnecting))

    def written(self) -> bytes:
        """Give what the reader has sent."""
        return bytes(self.transport.value())  # type: ignore[no-untyped-call]  # Twisted's own gap

    def _on_message(self, _: object, payload: bytes, is_binary: bool) -> None:
        self.heard.append((payload, is_binary))
        if len(self.heard) == self._stops_at:
            self.protocol.dropConnection(abort=True)


def main(streams: int, seed: int) -> None:
    """Compare."""
    source = random.Random(seed)  # noqa: S311 - test data
    messages = differences = 0
    for _ in range(streams):
        frames = random_frames(source)
        stops_at = source.randrange(20)
        ours, theirs = Heard(QuickProtocol, stops_at), Heard(KiteTickerClientProtocol, stops_at)
        for piece in pieces(frames, source):
            ours.take(piece)
            theirs.take(piece)
        messages += sum(isinstance(each, tuple) and isinstance(each[0], bytes) for each in theirs.heard)
        differences += ours.heard != theirs.heard
    sys.stderr.write(f"{messages} messages\n")
    sys.stdout.write(f"{streams} streams, {differences} differences\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
