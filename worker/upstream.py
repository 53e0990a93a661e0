"""The wire to Kite: the official KiteTicker, one fresh object per dial, on Twisted's asyncio reactor.

KiteTicker is kept for its transport and its manners on the wire; its retry is stopped (it would dial a dead token 50
times), its parser is never paid for, and its TLS, which verifies nobody, is given a context that does.
"""

import asyncio
import functools
import re
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

from kite_relay.domain.subscriptions import Ask

_REFUSED = re.compile(r"upgrade failed \((\d{3})")
"""How autobahn 19.11 (pinned by kiteconnect) words the answer to a handshake that is not 101."""
FORBIDDEN = "403"
NO_RETRY = -1
"""As `reconnect_max_tries`: KiteTicker never dials again by itself, and tells through `on_noreconnect` at once."""


class LineEvents(Protocol):
    """What a line tells: first `opened`, `rejected` or `failed`; after `opened`, `closed` once and at last."""

    def opened(self) -> None:
        """Kite accepted the handshake."""
        ...

    def rejected(self) -> None:
        """Kite answered 403."""
        ...

    def failed(self, reason: str) -> None:
        """The dial came to nothing."""
        ...

    def frame(self, data: bytes) -> None:
        """A binary frame came."""
        ...

    def text(self, text: str) -> None:
        """A text frame came."""
        ...

    def closed(self, reason: str) -> None:
        """The connection is gone."""
        ...


class Line(Protocol):
    """One connection to Kite."""

    def send(self, asks: Sequence[Ask]) -> None:
        """Tell Kite what to deliver; on a connection that is no longer open: nothing."""
        ...

    def close(self, *, abort: bool) -> None:
        """End the connection; `closed` (or `failed`) follows."""
        ...


class Upstream(Protocol):
    """Dials Kite."""

    def dial(self, access_token: str, events: LineEvents) -> Line:
        """Begin one connection; never raises for the network's sake."""
        ...


def install_reactor() -> None:
    """Put Twisted on the running asyncio loop; must come before anything imports kiteconnect."""
    from twisted.internet import asyncioreactor  # noqa: PLC0415 - it must not be imported before the loop runs

    asyncioreactor.install(asyncio.get_running_loop())  # type: ignore[no-untyped-call]  # Twisted's own gap
    from twisted.internet import reactor  # noqa: PLC0415 - the same

    reactor.startRunning(installSignalHandlers=False)


def release_reactor() -> None:
    """Let the process end: Twisted's resolver threads are no daemons."""
    from twisted.internet import reactor  # noqa: PLC0415 - the same

    if reactor.threadpool is not None:
        reactor.threadpool.stop()


class KiteUpstream:
    """Dials with the official client.

    Args:
        api_key: the app's key; may be set later.
        root: the ticker's root address.
    """

    def __init__(self, api_key: str, root: str) -> None:
        self.api_key = api_key
        self._root = root
        _raw_ticker()  # its imports take a quarter of a second: not at the first dial

    def dial(self, access_token: str, events: LineEvents) -> "KiteLine":
        """Begin one connection."""
        return KiteLine(_raw_ticker()(self.api_key, access_token, root=self._root), events)


class KiteLine:
    """One KiteTicker and its one connection."""

    def __init__(self, ticker: Any, events: LineEvents) -> None:
        self._ticker = ticker
        self._events = events
        self._open = False
        self._done = False
        self._asks = deque[Ask]()
        self._reason = "no connection"
        ticker.on_open = self._on_open
        ticker.on_message = self._on_message
        ticker.on_error = self._on_error
        ticker.on_close = self._on_close
        ticker.on_noreconnect = self._on_noreconnect
        ticker.connect()
        ticker.stop_retry()

    def send(self, asks: Sequence[Ask]) -> None:
        """Tell Kite what to deliver: one message a turn of the loop, so that what Kite answers is read in between.

        Autobahn masks byte by byte in Python: 3000 instruments in one go would hold up every socket for 20 ms.
        """
        idle = not self._asks
        self._asks.extend(asks)
        if idle:
            self._send_next()

    def _send_next(self) -> None:
        if not self._open:
            self._asks.clear()
        if not self._asks:
            return
        ask = self._asks.popleft()
        tokens = list(ask.tokens)
        if ask.mode is not None:
            self._ticker.set_mode(ask.mode.value, tokens)
        else:
            getattr(self._ticker, ask.action)(tokens)
        if self._asks:
            asyncio.get_running_loop().call_soon(self._send_next)

    def close(self, *, abort: bool) -> None:
        """End the connection; autobahn ends it within two seconds even if Kite does not answer."""
        if self._done:
            return
        if abort or not self._open:
            self._ticker.abort()
        else:
            self._ticker.close(1000)

    def _on_open(self, _: Any) -> None:
        self._open = True
        self._events.opened()

    def _on_message(self, _: Any, payload: bytes, is_binary: bool) -> None:  # noqa: FBT001 - KiteTicker's signature
        if is_binary:
            self._events.frame(payload)
        else:
            self._events.text(payload.decode("utf-8", "replace"))

    def _on_error(self, _: Any, __: int, reason: object) -> None:
        self._reason = str(reason)

    def _on_close(self, _: Any, code: int, reason: object) -> None:
        self._end(str(reason or code))

    def _on_noreconnect(self, *_: Any) -> None:
        self._end(self._reason)

    def _end(self, reason: str) -> None:
        if self._done:
            return
        self._done = True
        refused = _REFUSED.search(reason)
        if self._open:
            self._open = False
            self._events.closed(reason)
        elif refused and refused[1] == FORBIDDEN:
            self._events.rejected()
        else:
            self._events.failed(reason)


@functools.cache
def _raw_ticker() -> Any:
    """Make the class late: importing kiteconnect binds it to the reactor that is installed by then."""
    from autobahn.twisted.websocket import connectWS  # noqa: PLC0415 - after install_reactor
    from kiteconnect import KiteTicker  # noqa: PLC0415 - after install_reactor
    from twisted.internet import ssl  # noqa: PLC0415 - after install_reactor

    from worker.upstream_wire import QuickProtocol  # noqa: PLC0415 - after install_reactor

    @functools.cache
    def trust(host: str) -> Any:
        """Read the system's certificates once: that takes 25 ms, in which no tick would be read, at every dial."""
        return ssl.optionsForClientTLS(host)

    class RawTicker(KiteTicker):  # type: ignore[misc]  # kiteconnect has no types
        """KiteTicker that can be aborted, verifies TLS, and leaves text frames to us."""

        connector: Any = None

        def __init__(self, api_key: str, access_token: str, root: str) -> None:
            super().__init__(api_key, access_token, root=root, reconnect_max_tries=NO_RETRY)

        def connect(self) -> None:
            """Do what KiteTicker.connect does, with a TLS context that verifies, and every message straight to us.

            KiteTicker's own reading of a text frame raises, and so drops the socket, when its JSON is no object.
            """
            headers = {"X-Kite-Version": "3"}
            self._create_connection(self.socket_url, useragent=self._user_agent(), headers=headers)
            self.factory.protocol = QuickProtocol
            self.factory.on_message = self.on_message
            self.factory.startedConnecting = self._started
            context = trust(urlsplit(self.root).hostname or "") if self.factory.isSecure else None
            connectWS(self.factory, contextFactory=context, timeout=self.connect_timeout)

        def abort(self) -> None:
            """Drop the connection without a word, in whatever state it is."""
            transport = getattr(self.connector, "transport", None)
            if transport is not None and hasattr(transport, "abortConnection"):
                transport.abortConnection()
            elif self.connector is not None and self.connector.state == "connecting":
                self.connector.stopConnecting()

        def _started(self, connector: Any) -> None:
            self.connector = connector

    return RawTicker
