"""Live analysis of the three indices, by an unmodified `KiteTicker`: only `root` and the key are not Kite's.

usage: RELAY_KEY=kr_... python -m tools.examples.live_analysis [ws://127.0.0.1:4603]

Prints, about once a second: where each index stands in its day's range, how far it is from the session's average, its
momentum over the last minute, and the breadth of the three. Only what has been seen since the start can be averaged:
indices carry no volume.
"""

import os
import sys
import time
from collections import deque
from typing import Any

from kiteconnect import KiteTicker

INDICES = {256265: "NIFTY 50", 260105: "NIFTY BANK", 265: "SENSEX"}
MINUTE = 60.0
NAME = "ai_analysis"


class Index:
    """What is known of one index."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.last = self.change = self.total = 0.0
        self.low = self.high = 0.0
        self.ticks = 0
        self.minute: deque[tuple[float, float]] = deque()

    def take(self, tick: dict[str, Any], now: float) -> None:
        """Take one tick."""
        self.last, self.change = tick["last_price"], tick["change"]
        self.low, self.high = tick["ohlc"]["low"], tick["ohlc"]["high"]
        self.total += self.last
        self.ticks += 1
        self.minute.append((now, self.last))
        while self.minute[0][0] < now - MINUTE:
            self.minute.popleft()

    @property
    def position(self) -> float:
        """Where the price stands between the day's low (0 %) and high (100 %)."""
        return 100 * (self.last - self.low) / (self.high - self.low) if self.high > self.low else 50.0

    @property
    def momentum(self) -> float:
        """The change over the last minute, in percent."""
        first = self.minute[0][1]
        return 100 * (self.last - first) / first if first else 0.0

    def line(self) -> str:
        """Describe it."""
        average = self.total / self.ticks
        return (
            f"{self.name:<11} {self.last:>10.2f} ({self.change:+.2f} %)  range {self.position:5.1f} %  "
            f"vs average {self.last - average:+8.2f}  momentum {self.momentum:+.3f} %/min"
        )


def main() -> None:
    """Run until Ctrl-C."""
    root = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:4603"
    found = {token: Index(name) for token, name in INDICES.items()}
    printed = 0.0

    def on_connect(ticker: Any, _response: Any) -> None:
        ticker.subscribe(list(INDICES))
        ticker.set_mode(ticker.MODE_FULL, list(INDICES))

    def on_ticks(_ticker: Any, ticks: list[dict[str, Any]]) -> None:
        nonlocal printed
        now = time.monotonic()
        for tick in ticks:
            if "ohlc" in tick and tick["instrument_token"] in found:
                found[tick["instrument_token"]].take(tick, now)
        seen = [index for index in found.values() if index.ticks]
        if seen and now >= printed + 1:
            printed = now
            rising = sum(index.change > 0 for index in seen)
            print(
                "\n".join(index.line() for index in seen),
                f"breadth     {rising} of {len(seen)} above their close\n",
                sep="\n",
                flush=True,
            )

    ticker = KiteTicker(NAME, os.environ["RELAY_KEY"], root=root)
    ticker.on_connect, ticker.on_ticks = on_connect, on_ticks
    ticker.connect()


if __name__ == "__main__":
    main()
