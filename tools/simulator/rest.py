"""Kite's REST side, as far as logins, instruments and last prices go; with Kite's bodies, words and statuses.

Sources: https://kite.trade/docs/connect/v3/user/, .../market-quotes/, .../exceptions/; the published mock answers of
kiteconnect-mocks.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from multidict import MultiMapping

from tools.simulator.accounts import Accounts, RefusedError, Session
from tools.simulator.clock import Clock
from tools.simulator.faults import Refusal, Settings
from tools.simulator.journal import Journal
from tools.simulator.market import Market, Quote

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

EXCHANGES = ["NSE", "NFO", "BFO", "CDS", "BSE", "MCX", "BCD", "MF"]
PRODUCTS = ["CNC", "NRML", "MIS", "BO", "CO"]
ORDER_TYPES = ["MARKET", "LIMIT", "SL", "SL-M"]
_GATEWAY = (502, 504)
"""What the servers before Kite answer is no JSON."""


def failure(status: int, kind: str, message: str) -> web.Response:
    """Write one of Kite's errors."""
    return web.json_response({"status": "error", "message": message, "data": None, "error_type": kind}, status=status)


def success(data: Any) -> web.Response:
    """Write one of Kite's answers."""
    return web.json_response({"status": "success", "data": data})


def profile(user_id: str) -> dict[str, Any]:
    """Tell who a user is."""
    return {
        "user_id": user_id,
        "user_type": "individual",
        "email": f"{user_id.lower()}@example.com",
        "user_name": "Simulated Trader",
        "user_shortname": "Simulated",
        "broker": "ZERODHA",
        "exchanges": EXCHANGES,
        "products": PRODUCTS,
        "order_types": ORDER_TYPES,
        "avatar_url": None,
        "meta": {"demat_consent": "physical"},
    }


def _field(source: MultiMapping[Any], name: str) -> str:
    value = source.get(name)
    if not isinstance(value, str) or not value:
        raise RefusedError(400, "InputException", f"Missing or empty field `{name}`")
    return value


class Rest:
    """The handlers, and the middleware that spoils their answers when told to.

    Args:
        accounts: the sessions.
        market: instruments and prices.
        clock: what time it is.
        settings: the faults that are on.
        journal: where calls are counted.
        on_login: called with each new session that was exchanged.
    """

    def __init__(
        self,
        accounts: Accounts,
        market: Market,
        clock: Clock,
        settings: Settings,
        journal: Journal,
        on_login: Callable[[Session], None],
    ) -> None:
        self._accounts = accounts
        self._market = market
        self._clock = clock
        self._settings = settings
        self._journal = journal
        self._on_login = on_login

    def routes(self) -> list[web.RouteDef]:
        """List what is served."""
        return [
            web.post("/session/token", self._exchange),
            web.delete("/session/token", self._invalidate),
            web.get("/user/profile", self._profile),
            web.get("/instruments", self._instruments),
            web.get("/instruments/{exchange}", self._instruments),
            web.get("/quote/ltp", self._ltp),
            web.get("/quote/ohlc", self._ohlc),
        ]

    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Delay or spoil the answer if told to, and turn refusals and unknown paths into Kite's error bodies."""
        faults = self._settings.faults
        await asyncio.sleep(faults.rest_delay)
        if faults.rest and request.path.startswith(faults.rest.path) and faults.rest.take():
            self._journal.count(f"rest.spoiled_{faults.rest.status}")
            return _spoiled(faults.rest)
        try:
            return await handler(request)
        except RefusedError as refusal:
            return failure(refusal.status, refusal.kind, str(refusal))
        except web.HTTPNotFound:
            return failure(404, "GeneralException", "Route not found")
        except web.HTTPMethodNotAllowed:
            return failure(405, "GeneralException", "Method not allowed")

    async def _exchange(self, request: web.Request) -> web.Response:
        form = await request.post()
        try:
            api_key, token, checksum = (_field(form, name) for name in ("api_key", "request_token", "checksum"))
            session = self._accounts.exchange(api_key, token, checksum)
        except RefusedError:
            self._journal.count("exchanges.refused")
            raise
        self._journal.count("exchanges.ok")
        self._on_login(session)
        if self._settings.faults.lost_answers > 0:
            self._settings.faults.lost_answers -= 1
            if request.transport:
                request.transport.close()
        tokens = {"access_token": session.token, "public_token": session.token[::-1], "enctoken": ""}
        tokens |= {"refresh_token": "", "silo": "", "api_key": api_key}
        login_time = session.minted_at.strftime("%Y-%m-%d %H:%M:%S")
        return success(profile(session.user_id) | tokens | {"login_time": login_time})

    async def _invalidate(self, request: web.Request) -> web.Response:
        api_key, token = (_field(request.query, name) for name in ("api_key", "access_token"))
        self._accounts.check(api_key, token).killed = True
        self._journal.count("invalidations.ok")
        return success(data=True)

    async def _profile(self, request: web.Request) -> web.Response:
        session = self._authorized(request)
        return success(profile(session.user_id))

    async def _instruments(self, request: web.Request) -> web.Response:
        exchange = request.match_info.get("exchange")
        self._journal.count("instruments.ok")
        answer = web.Response(text=self._market.catalog.dump(exchange), content_type="text/csv")
        answer.enable_compression()
        return answer

    async def _ltp(self, request: web.Request) -> web.Response:
        return self._quotes(request, lambda _: {})

    async def _ohlc(self, request: web.Request) -> web.Response:
        return self._quotes(request, lambda quote: {"ohlc": quote.ohlc})

    def _quotes(self, request: web.Request, more: Callable[[Quote], dict[str, Any]]) -> web.Response:
        self._authorized(request)
        answer = {}
        for name in request.query.getall("i", []):
            instrument = self._market.catalog.by_name.get(name)
            if instrument and (quote := self._market.quote(instrument.token, int(self._clock.epoch()))):
                answer[name] = {"instrument_token": instrument.token, "last_price": quote.last_price} | more(quote)
        return success(answer)

    def _authorized(self, request: web.Request) -> Session:
        """Check `Authorization: token api_key:access_token`."""
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        api_key, colon, token = credentials.partition(":")
        area = request.path.rsplit("/", 1)[-1]
        if scheme != "token" or not colon:
            self._journal.count(f"{area}.refused")
            raise RefusedError(400, "InputException", "Missing or malformed `Authorization` header.")
        try:
            session = self._accounts.check(api_key, token)
        except RefusedError:
            self._journal.count(f"{area}.refused")
            raise
        self._journal.count(f"{area}.ok")
        return session


def _spoiled(refusal: Refusal) -> web.Response:
    if refusal.status in _GATEWAY:
        return web.Response(status=refusal.status, text="<html><h1>Bad gateway</h1></html>", content_type="text/html")
    if refusal.status == web.HTTPTooManyRequests.status_code:
        return failure(429, "NetworkException", "Too many requests")
    if refusal.status == web.HTTPForbidden.status_code:
        return failure(403, "TokenException", "Incorrect `api_key` or `access_token`.")
    return failure(refusal.status, "GeneralException", "Something went wrong. Please try again.")
