"""A bot of the kind this project is for: the official KiteTicker, nothing changed but `root=`, counting what it gets.

    RELAY_KEY=kr_... python -m tools.devstack.listener ws://127.0.0.1:4603 256265 408065

Every line on its input asks for a line of JSON: what happened since the line before. The end of its input ends it.
"""

import json
import os
import sys
import time
from typing import Any

from kiteconnect import KiteTicker

from tools.simulator.packets import Tally, sequence, split


class Listener:
    """Subscribes in full mode and counts; a longer silence than usual is the gap that a trader would have seen."""

    def __init__(self, root: str, key: str, tokens: list[int]) -> None:
        self._tokens = tokens
        self._tally = Tally()
        self._last: dict[bytes, tuple[int, tuple[int, int]]] = {}
        self._counts = {"connects": 0, "disconnects": 0, "errors": 0}
        self._close_codes: list[int | None] = []
        self._last_packet: float | None = None
        self._longest_gap = 0.0
        self._resumed_at = 0.0
        self._ticker = KiteTicker("demo", key, root=root)
        self._ticker.on_connect = self._connected
        self._ticker.on_message = self._message
        self._ticker.on_close = self._closed
        self._ticker.on_error = self._failed

    def start(self) -> None:
        """Connect in KiteTicker's own thread."""
        self._ticker.connect(threaded=True)

    def report(self) -> dict[str, Any]:
        """Tell the totals, and the longest gap since the last report and when it ended (epoch seconds)."""
        gap, self._longest_gap = self._longest_gap, 0.0
        return self._counts | {
            "packets": self._tally.packets,
            "lost": self._tally.lost,
            "duplicates": self._tally.duplicates,
            "longest_gap_ms": round(gap * 1000, 1),
            "resumed_at": self._resumed_at,
            "close_codes": self._close_codes,
        }

    def _connected(self, ticker: Any, _response: Any) -> None:
        self._counts["connects"] += 1
        ticker.subscribe(self._tokens)
        ticker.set_mode(ticker.MODE_FULL, self._tokens)

    def _message(self, _ticker: Any, payload: bytes, is_binary: bool) -> None:  # noqa: FBT001 - KiteTicker's signature
        if not is_binary or len(payload) < 2:  # noqa: PLR2004 - a heartbeat is one byte
            return
        now = time.monotonic()
        if self._last_packet is not None and now - self._last_packet > self._longest_gap:
            self._longest_gap, self._resumed_at = now - self._last_packet, time.time()
        self._last_packet = now
        for packet in split(payload):
            self._count(packet)

    def _count(self, packet: bytes) -> None:
        """Count a packet, but not the longer form of the one before it: after `mode` Kite sends the latest again."""
        token, number = packet[:4], sequence(packet)
        size, last = self._last.get(token, (0, (-1, 0)))
        self._last[token] = len(packet), number
        if number != last or len(packet) <= size:
            self._tally.packet(packet)

    def _closed(self, _ticker: Any, code: Any, _reason: Any) -> None:
        self._counts["disconnects"] += 1
        self._close_codes.append(code)

    def _failed(self, _ticker: Any, _code: Any, _reason: Any) -> None:
        self._counts["errors"] += 1


def main() -> None:
    """Listen until the input ends."""
    listener = Listener(sys.argv[1], os.environ["RELAY_KEY"], [int(token) for token in sys.argv[2:]])
    listener.start()
    for _ in sys.stdin:
        print(json.dumps(listener.report()), flush=True)


if __name__ == "__main__":
    main()
