"""Programs that read Kite's packets, each doing as much with them as its name says."""

import asyncio
import json
from typing import Any

from tools.bench.handover.ticker import Task


class OnTicks:
    """KiteTicker, parsing every packet, as its documentation shows."""

    def __init__(self, task: Task) -> None:
        from kiteconnect import KiteTicker  # noqa: PLC0415 - after install_reactor

        self._instruments: list[int] = task["instruments"]
        ticker = KiteTicker(task["api_key"], task["token"], root=task["ticker_root"])
        ticker.on_connect = self._on_connect
        self.listen(ticker)
        ticker.connect(threaded=True)

    def listen(self, ticker: Any) -> None:
        """Take what it gives."""
        ticker.on_ticks = lambda _ws, _ticks: None

    def _on_connect(self, ticker: Any, _: object) -> None:
        ticker.subscribe(self._instruments)
        ticker.set_mode(ticker.MODE_FULL, self._instruments)


class OnMessage(OnTicks):
    """KiteTicker, handing over raw frames."""

    def listen(self, ticker: Any) -> None:
        """Take what it gives."""
        ticker.on_message = lambda _ws, _payload, _is_binary: None


class Autobahn:
    """The transport under KiteTicker, on the same reactor, with no callback at all: the floor."""

    def __init__(self, task: Task) -> None:
        from autobahn.twisted.websocket import WebSocketClientFactory, connectWS  # noqa: PLC0415 - after install_reactor

        url = f"{task['ticker_root']}?api_key={task['api_key']}&access_token={task['token']}"
        factory = WebSocketClientFactory(url)
        factory.protocol = _receiver(task["instruments"])
        connectWS(factory)


class Feed:
    """The worker's feed, up to its bus."""

    def __init__(self, task: Task) -> None:
        from tools.bench.handover.ours import Ours  # noqa: PLC0415 - the other readers do not carry it

        self._ours = Ours(task)
        self._ours.begin()
        self._swapping = asyncio.ensure_future(self._ours.swap(task["token"]))


READERS = {"ours": Feed, "on_ticks": OnTicks, "on_message": OnMessage, "autobahn": Autobahn}


def _receiver(instruments: list[int]) -> type:
    from autobahn.twisted.websocket import WebSocketClientProtocol  # noqa: PLC0415 - after install_reactor

    class Receiver(WebSocketClientProtocol):  # type: ignore[misc]  # autobahn has no types
        """Subscribes, and does nothing with what comes."""

        def onOpen(self) -> None:  # noqa: N802 - autobahn's name
            """Ask for what KiteTicker asks for."""
            self.sendMessage(json.dumps({"a": "subscribe", "v": instruments}).encode())
            self.sendMessage(json.dumps({"a": "mode", "v": ["full", instruments]}).encode())

    return Receiver
