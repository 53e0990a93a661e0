"""Healthy clients in a process of their own: `python crowd.py PORT KEY CLIENTS INSTRUMENTS`.

They want the instruments 1 to INSTRUMENTS in full mode; a packet's price is the microsecond when it was published. For
each line read it prints what they saw since the last one: JSON with messages, p50 and p99 in milliseconds, and ended.
"""

import asyncio
import json
import os
import sys
import time

MASK = 0xFFFF_FFFF
SHORT, MEDIUM = 126, 127


def now() -> int:
    """Tell the microsecond, as a price can say it."""
    return time.monotonic_ns() // 1000 & MASK


class Ear(asyncio.Protocol):
    """One client; it reads all that comes at once, and notes how old each message with ticks is."""

    def __init__(self, hello: bytes, subscribe: bytes, delays: list[int]) -> None:
        self._hello = hello
        self._subscribe = subscribe
        self._delays = delays
        self._rest = b""
        self.shaken = asyncio.Event()
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Shake hands."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._hello)

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        seen = now()
        data = self._rest + data
        place = 0
        if not self.shaken.is_set():
            head, end, rest = data.partition(b"\r\n\r\n")
            if not end:
                self._rest = data
                return
            assert head.startswith(b"HTTP/1.1 101 ")
            self.shaken.set()
            self._transport.write(self._subscribe)
            data = rest
        while len(data) - place >= 4:
            size, begin = data[place + 1], place + 2
            if size == SHORT:
                size, begin = int.from_bytes(data[place + 2 : place + 4], "big"), place + 4
            if len(data) < begin + size:
                break
            if size >= SHORT:
                self._delays.append(seen - int.from_bytes(data[begin + 8 : begin + 12], "big") & MASK)
            place = begin + size
        self._rest = data[place:]

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end."""
        self.ended = True


def hello(key: str) -> bytes:
    """Write a handshake."""
    return (
        f"GET /?api_key=crowd&access_token={key} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def subscription(instruments: int) -> bytes:
    """Write the command that subscribes, masked with zeros."""
    text = json.dumps({"a": "mode", "v": ["full", list(range(1, instruments + 1))]}).encode()
    return b"\x81\xfe" + len(text).to_bytes(2, "big") + bytes(4) + text


def report(ears: list[Ear], delays: list[int]) -> str:
    """Tell what was seen, and forget it."""
    found = sorted(delays)
    delays.clear()
    p50, p99 = (found[len(found) * part // 100] / 1000 if found else 0.0 for part in (50, 99))
    return json.dumps({"messages": len(found), "p50": p50, "p99": p99, "ended": sum(ear.ended for ear in ears)})


async def main(port: int, key: str, clients: int, instruments: int) -> None:
    """Listen until the standard input ends."""
    loop = asyncio.get_running_loop()
    delays: list[int] = []
    said = hello(key), subscription(instruments)
    ears = [(await loop.create_connection(lambda: Ear(*said, delays), "127.0.0.1", port))[1] for _ in range(clients)]
    for ear in ears:
        await ear.shaken.wait()
    while True:
        sys.stdout.write(report(ears, delays) + "\n")
        sys.stdout.flush()
        if not await asyncio.to_thread(sys.stdin.readline):
            return


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), os.environ["RELAY_KEY"], int(sys.argv[2]), int(sys.argv[3])))
