"""The ticker: who may open a socket, what a client's messages do, and the market's beat.

Sources: https://kite.trade/docs/connect/v3/websocket/; staff answers on the developer forum (heartbeat every second, a
cached packet on subscribe, an open socket outlives its token, three sockets per key).
"""

import asyncio
import json
from typing import Any

from aiohttp import WSMsgType, web

from tools.simulator.accounts import Accounts, RefusedError, Session
from tools.simulator.clock import Clock
from tools.simulator.connection import Connection, Silence
from tools.simulator.faults import Settings
from tools.simulator.journal import Dial, Journal
from tools.simulator.market import MODES, Market, Quote

MAX_INSTRUMENTS = 3000
MAX_SOCKETS = 3
_CATCH_UP = 1.0
"""A beat that is later than this many seconds is left out, not made good."""


class Ticker:
    """All sockets of the app.

    Args:
        accounts: who may open one.
        market: what flows.
        clock: the time that packets carry.
        settings: pace, limits' behaviour and faults.
        journal: where dials are noted.
    """

    def __init__(self, accounts: Accounts, market: Market, clock: Clock, settings: Settings, journal: Journal) -> None:
        self.connections: dict[int, Connection] = {}
        self._accounts = accounts
        self._market = market
        self._clock = clock
        self._settings = settings
        self._journal = journal
        self._opened = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a handshake and serve the socket until it ends."""
        faults = self._settings.faults
        await asyncio.sleep(faults.handshake_delay)
        api_key, token = (request.query.get(name, "") for name in ("api_key", "access_token"))
        session = self._accounts.find(api_key, token)
        try:
            session = self._admit(api_key, token)
        except RefusedError as refusal:
            self._note(str(refusal.status), session, None)
            body = {"status": "error", "message": str(refusal), "data": None, "error_type": refusal.kind}
            return web.json_response(body, status=refusal.status)
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        transport = request.transport
        if not isinstance(transport, asyncio.Transport):
            return socket  # the client went away in the handshake
        connection = self._open(session, socket, transport)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._obey(connection, message.data)
        finally:
            self.connections.pop(connection.number, None)
            self._journal.count("sockets.closed")
        return socket

    def beat(self, moved: list[Quote]) -> None:
        """Send every socket what it wants of the moved quotes."""
        for connection in list(self.connections.values()):
            connection.beat(moved)

    async def run_market(self) -> None:
        """Move the market at its pace, for ever."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            settings = self._settings
            due = max(due + 1 / settings.frames, loop.time() - _CATCH_UP)
            await asyncio.sleep(due - loop.time())
            self.beat(self._market.beat(settings.updates, settings.frames, self.epoch()))

    async def run_heartbeats(self) -> None:
        """Send the heartbeats, for ever."""
        while True:
            await asyncio.sleep(self._settings.heartbeat)
            for connection in list(self.connections.values()):
                connection.heartbeat()

    def epoch(self) -> int:
        """Tell the whole seconds since 1970 that packets carry."""
        return int(self._clock.epoch())

    def _admit(self, api_key: str, token: str) -> Session:
        refusal = self._settings.faults.handshake
        if refusal and refusal.take():
            raise RefusedError(refusal.status, "TokenException", "Authentication failed")
        try:
            session = self._accounts.check(api_key, token)
        except RefusedError as error:
            raise RefusedError(403, "TokenException", "Authentication failed") from error
        counted = [c for c in self.connections.values() if c.is_open and c.silence is not Silence.BLACK_HOLED]
        if len(counted) >= MAX_SOCKETS:
            if self._settings.fourth_socket == "refuse":
                raise RefusedError(429, "NetworkException", "Too many connections")
            counted[0].drop()
        return session

    def _open(self, session: Session, socket: web.WebSocketResponse, transport: asyncio.Transport) -> Connection:
        self._opened += 1
        connection = Connection(self._opened, session, socket, transport, self._clock.now().isoformat())
        self.connections[connection.number] = connection
        self._note("open", session, connection.number)
        connection.hush(self._settings.faults.new_sockets)
        connection.send_text({"type": "instruments_meta", "data": {"count": len(self._market.catalog.by_token)}})
        return connection

    def _note(self, result: str, session: Session | None, socket: int | None) -> None:
        generation, fingerprint = (session.generation, session.fingerprint) if session else (None, None)
        self._journal.dialled(Dial(self._clock.now().isoformat(), result, generation, fingerprint, socket))

    def _obey(self, connection: Connection, text: str) -> None:
        """Do what a client's message says; one that says nothing known is answered with an error, as a text frame."""
        try:
            action, mode, tokens = _read(text)
        except (ValueError, TypeError, KeyError, RecursionError):
            self._journal.count("messages.malformed")
            connection.send_text({"type": "error", "data": "Invalid message"})
            return
        self._journal.count(f"messages.{action}")
        if action == "unsubscribe":
            for token in tokens:
                connection.modes.pop(token, None)
        elif action == "subscribe":
            self._subscribe(connection, tokens)
        else:
            self._set_mode(connection, mode, tokens)

    def _subscribe(self, connection: Connection, tokens: list[int]) -> None:
        quotes = self._quotes(tokens)
        modes, over = connection.modes, 0
        for token in quotes:
            if token in modes or len(modes) < MAX_INSTRUMENTS:
                modes.setdefault(token, "quote")
            else:
                over += 1
        if over:
            self._journal.count("messages.over_limit")
            text = f"Cannot subscribe to more than {MAX_INSTRUMENTS} instruments in one connection"
            connection.send_text({"type": "error", "data": text})
        connection.send_cached(list(quotes.values()))

    def _set_mode(self, connection: Connection, mode: str, tokens: list[int]) -> None:
        quotes = {token: quote for token, quote in self._quotes(tokens).items() if token in connection.modes}
        connection.modes.update(dict.fromkeys(quotes, mode))
        connection.send_cached(list(quotes.values()))

    def _quotes(self, tokens: list[Any]) -> dict[int, Quote]:
        now = self.epoch()
        return {token: quote for token in tokens if (quote := self._market.quote(token, now))}


def _read(text: str) -> tuple[str, str, list[int]]:
    """Read a client's message: what to do, the mode, the instruments."""
    message = json.loads(text)
    action, value = message["a"], message["v"]
    mode, tokens = value if action == "mode" else ("quote", value)
    if action not in ("subscribe", "unsubscribe", "mode") or mode not in MODES:
        raise ValueError(action)
    return action, mode, [int(token) for token in tokens]
