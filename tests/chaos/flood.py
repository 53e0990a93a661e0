"""A flood against a relay, from a process of its own: `python flood.py PORT KEY CONNECTS`; prints JSON."""

import base64
import contextlib
import json
import os
import socket
import struct
import sys
import time
from collections import Counter

RATE = 2000
SLOW = 400
HUGE = 1_000_000
MESSAGES = 10_000
PATIENCE = 15.0
"""Seconds to wait for what a slow handshake is told: the relay gives it ten."""
RESET = struct.pack("ii", 1, 0)


def plain(port: int) -> socket.socket:
    """Connect; closing will reset, so that no port waits."""
    one = socket.create_connection(("127.0.0.1", port), timeout=5)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    return one


def knock(port: int, key: str) -> tuple[socket.socket, int]:
    """Shake hands; gives the answer's status too."""
    one = plain(port)
    nonce = base64.b64encode(os.urandom(16)).decode()
    one.sendall(
        f"GET /?api_key=flood&access_token={key} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {nonce}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    return one, int((one.recv(4096) or b"x 0").split()[1])


def text(payload: bytes) -> bytes:
    """Write a masked text frame."""
    size = len(payload)
    length = bytes([128 | size]) if size < 126 else b"\xff" + struct.pack(">Q", size)
    return b"\x81" + length + bytes(4) + payload


def connects(port: int, count: int) -> float:
    """Connect and say half a handshake, again and again; returns how many a second."""
    began = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, began + number / RATE - time.monotonic()))
        with contextlib.suppress(OSError):
            one = plain(port)
            one.send(b"GET / HTT")
            one.close()
    return count / (time.monotonic() - began)


def slowly(port: int, rounds: int) -> list[socket.socket]:
    """Hold connections, and say a byte on each now and then."""
    held = [plain(port) for _ in range(SLOW)]
    for byte in b"GET /?api_key"[:rounds]:
        for one in held:
            with contextlib.suppress(OSError):
                one.send(bytes([byte]))
        time.sleep(0.1)
    return held


def guesses(port: int, count: int) -> dict[int, int]:
    """Try wrong keys as fast as they are answered; tells how often each status came."""
    told: Counter[int] = Counter()
    for number in range(count):
        one, status = knock(port, f"kr_guess{number}")
        told[status] += 1
        one.close()
    return dict(told)


def last_words(held: list[socket.socket], seconds: float) -> dict[int, int]:
    """Wait for what slow connections are told at their end; tells how often each status came, 0 for none."""
    told: Counter[int] = Counter()
    until = time.monotonic() + seconds
    for one in held:
        one.settimeout(max(0.01, until - time.monotonic()))
        answer = b""
        with contextlib.suppress(OSError):
            answer = one.recv(4096)
        told[int(answer.split()[1]) if answer else 0] += 1
        one.close()
    return dict(told)


def code_after(port: int, key: str, payload: bytes, times: int) -> int:
    """Send frames until the relay closes; returns its close code."""
    one, _ = knock(port, key)
    with contextlib.suppress(OSError):
        for _ in range(times):
            one.sendall(text(payload))
    stream = one.makefile("rb")
    with contextlib.suppress(OSError):
        while head := stream.read(2):
            size = head[1]
            size = int.from_bytes(stream.read({126: 2, 127: 8}[size]), "big") if size > 125 else size
            body = stream.read(size)
            if head[0] == 0x88:
                return int.from_bytes(body[:2], "big")
    return 0


def main(port: int, key: str, count: int) -> None:
    """Flood."""
    rate = connects(port, count)
    held = slowly(port, 5)
    huge = code_after(port, key, b"x" * HUGE, 1)
    many = code_after(port, key, b'{"a":"subscribe","v":[1]}', MESSAGES)
    slow = last_words(held, PATIENCE)
    wrong = guesses(port, count // 10)
    done = {"connects per second": round(rate), "1 MB frame": huge, "10,000 messages": many}
    sys.stdout.write(json.dumps({**done, "slow handshakes": slow, "wrong keys": wrong}))


if __name__ == "__main__":
    main(int(sys.argv[1]), os.environ["RELAY_KEY"], int(sys.argv[2]))
