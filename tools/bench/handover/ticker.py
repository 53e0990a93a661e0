"""KiteTicker on the asyncio loop, and what every way of changing the token has in common."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from kite_relay.domain.relay_keys import KEY_ENTROPY, make_key
from tools.simulator.packets import Tally, split

Task = dict[str, Any]

LISTENER = "listener"
RELAY_KEY = make_key(b"benchmark".ljust(KEY_ENTROPY))


def install_reactor() -> None:
    """Put Twisted on the running loop; must come before anything imports kiteconnect."""
    from twisted.internet import asyncioreactor  # noqa: PLC0415 - it must not be imported before the loop runs

    asyncioreactor.install(asyncio.get_running_loop())  # type: ignore[no-untyped-call]  # Twisted's own gap
    from twisted.internet import reactor  # noqa: PLC0415 - the same

    reactor.startRunning(installSignalHandlers=False)


class Ticking:
    """Official tickers, all their packets in one tally.

    Args:
        task: api_key, ticker_root, instruments.
    """

    def __init__(self, task: Task) -> None:
        self.tally = Tally()
        self.seen: set[int] = set()
        self.closes = 0
        self._task = task
        self._instruments: Sequence[int] = task["instruments"]
        self._awaited: object = None
        self._armed = False
        self._first: asyncio.Future[float] | None = None
        self._heard_at = time.monotonic()
        self.longest_pause = 0.0
        """Seconds that nothing came, at the worst."""
        self._all = asyncio.Event()

    def dial(self, token: str) -> Any:
        """Make a ticker and connect; it subscribes as the official documentation shows."""
        from kiteconnect import KiteTicker  # noqa: PLC0415 - after install_reactor

        ticker = KiteTicker(self._task["api_key"], token, root=self._task["ticker_root"])
        ticker.on_message = self._on_message
        ticker.on_connect = self._on_connect
        ticker.on_close = self._on_close
        ticker.connect(threaded=True)
        return ticker

    def await_first(self, ticker: object) -> asyncio.Future[float]:
        """Give the instant of the first packet on a ticker's next connection."""
        self._awaited, self._armed, self._first = ticker, False, asyncio.get_running_loop().create_future()
        return self._first

    async def flowing(self) -> None:
        """Wait until every instrument has been seen."""
        await asyncio.wait_for(self._all.wait(), 30)

    def count(self) -> None:
        """Count losses and pauses from now on."""
        last, self.tally = self.tally.last, Tally()
        self.tally.last = last
        self.closes, self.longest_pause, self._heard_at = 0, 0.0, time.monotonic()

    def _on_connect(self, ticker: Any, _: object) -> None:
        self._armed = self._armed or ticker is self._awaited
        ticker.subscribe(list(self._instruments))
        ticker.set_mode(ticker.MODE_FULL, list(self._instruments))

    def _on_message(self, ticker: Any, payload: bytes, is_binary: bool) -> None:  # noqa: FBT001 - KiteTicker's signature
        if not is_binary or len(payload) == 1:
            return
        now = time.monotonic()
        self.longest_pause = max(self.longest_pause, now - self._heard_at)
        self._heard_at = now
        if self._armed and ticker is self._awaited and self._first and not self._first.done():
            self._first.set_result(now)
        for packet in split(payload):
            self.tally.packet(packet)
        if not self._all.is_set():
            self.seen.update(int.from_bytes(packet[:4]) for packet in split(payload))
            if len(self.seen) == len(self._instruments):
                self._all.set()

    def _on_close(self, _ticker: object, _code: int, _reason: object) -> None:
        self.closes += 1


def close_then_open(ticking: Ticking, old: Any, token: str) -> tuple[Any, asyncio.Future[float]]:
    """End the old connection, and dial at once with the new token."""
    old.close()
    new = ticking.dial(token)
    return new, ticking.await_first(new)


def own_retry(ticking: Ticking, old: Any, token: str) -> tuple[Any, asyncio.Future[float]]:
    """Put the new token into the client's URL, end the connection, and let the client dial by itself."""
    url = f"{old.root}?api_key={ticking._task['api_key']}&access_token={token}"  # noqa: SLF001 - its helper
    headers = {"X-Kite-Version": "3"}
    old.factory.setSessionParameters(url=url, useragent=old._user_agent(), headers=headers)  # noqa: SLF001 - kiteconnect has no public way
    old.ws.sendClose()
    return old, ticking.await_first(old)


WAYS: dict[str, Callable[[Ticking, Any, str], tuple[Any, asyncio.Future[float]]]] = {
    "close_then_open": close_then_open,
    "own_retry": own_retry,
}
