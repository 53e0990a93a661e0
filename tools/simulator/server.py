"""Puts the parts together and serves them on one loopback port."""

import asyncio
from datetime import datetime, time
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tools.simulator.accounts import Accounts
from tools.simulator.catalog import Catalog
from tools.simulator.clock import Clock
from tools.simulator.controls import Controls
from tools.simulator.faults import FourthSocket, OldSocket, Settings
from tools.simulator.journal import Journal
from tools.simulator.login import Login, page
from tools.simulator.market import Market
from tools.simulator.panel import Panel
from tools.simulator.rest import Handler, Rest
from tools.simulator.ticker import Ticker

HOST = "127.0.0.1"
API_KEY = "simulatorkey"
API_SECRET = "simulator-secret"  # noqa: S105 - it opens nothing but the simulator


class Simulator(Controls):
    """A Kite on this machine: `async with Simulator(seed=1) as sim`. Every control is a method.

    Args:
        port: where to listen; 0 takes a free one.
        seed: decides all prices and tokens.
        api_key: the registered app's key.
        api_secret: the registered app's secret.
        start: if given, the clock stands still there until `advance`.
        flush_at: when all older tokens die, every day (IST); None: only by `flush`.
        redirect_url: where the login page sends the browser.
        old_socket: what a new login does to older sockets.
        fourth_socket: what becomes of a socket beyond three.
        updates: how often per second each instrument moves.
        frames: how many messages per second carry the updates.
        heartbeat: seconds between two heartbeats.
    """

    REDIRECT_URL = "http://127.0.0.1:4600/callback"

    def __init__(  # noqa: PLR0913 - all are named options of a product
        self,
        *,
        port: int = 0,
        seed: int = 1,
        api_key: str = API_KEY,
        api_secret: str = API_SECRET,
        start: datetime | None = None,
        flush_at: time | None = None,
        redirect_url: str = REDIRECT_URL,
        old_socket: OldSocket = "survives",
        fourth_socket: FourthSocket = "refuse",
        updates: float = Settings.updates,
        frames: float = Settings.frames,
        heartbeat: float = Settings.heartbeat,
    ) -> None:
        clock = Clock(start)
        settings = Settings(old_socket, fourth_socket, updates, frames, heartbeat, redirect_url)
        journal = Journal()
        accounts = Accounts(api_key, api_secret, clock, seed, flush_at)
        market = Market(Catalog(clock.now().date()), seed)
        super().__init__(accounts, market, Ticker(accounts, market, clock, settings, journal), clock, settings, journal)
        self.pace(updates, frames)
        self.port = port
        self._runner: web.AppRunner | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def rest_root(self) -> str:
        """Stands in for https://api.kite.trade."""
        return f"http://{HOST}:{self.port}"

    @property
    def login_root(self) -> str:
        """Stands in for https://kite.zerodha.com; `localhost`, as a browser's cookies care."""
        return f"http://localhost:{self.port}"

    @property
    def ticker_root(self) -> str:
        """Stands in for wss://ws.kite.trade."""
        return f"ws://{HOST}:{self.port}/ticker"

    @property
    def control_root(self) -> str:
        """Where the controls are served."""
        return f"http://{HOST}:{self.port}/sim"

    async def __aenter__(self) -> Self:
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, HOST, self.port, reuse_address=True)
        try:
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self.port = runner.addresses[0][1]
        self._tasks = [asyncio.create_task(loop) for loop in (self.ticker.run_market(), self.ticker.run_heartbeats())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in list(self.ticker.connections.values()):
            connection.drop()
        if self._runner:
            await self._runner.cleanup()

    def _application(self) -> web.Application:
        rest = Rest(self.accounts, self.market, self.clock, self.settings, self.journal, self.logged_in)

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            outside = request.path == "/" or request.path.startswith(("/sim/", "/ticker", "/connect/"))
            return await (handler(request) if outside else rest.guard(request, handler))

        application = web.Application(middlewares=[guard])
        application.add_routes(rest.routes())
        application.add_routes(Login(self.accounts, self.settings, self.journal).routes())
        application.add_routes(Panel(self).routes())
        application.add_routes([web.get("/ticker", self.ticker.handle), web.get("/", self._root)])
        return application

    async def _root(self, request: web.Request) -> web.StreamResponse:
        """Serve the ticker here too, as wss://ws.kite.trade/ does; a browser gets a page that says what this is."""
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self.ticker.handle(request)
        links: dict[str, Any] = {
            "Log in": f"/connect/login?v=3&api_key={self.accounts.api_key}",
            "State": "/sim/state",
            "Controls": "/sim/",
            "Instruments": "/instruments",
        }
        items = "".join(f'<li><a href="{target}">{name}</a></li>' for name, target in links.items())
        body = f"<h1>A simulated Kite</h1><p>Ticker: <code>{self.ticker_root}</code></p><ul>{items}</ul>"
        return page("Simulated Kite", body)
