"""The front page: one address for the browser, behind which the HTTP API of the embedded AWS answers.

The browser must see a host on which `__Host-` cookies work and that a Zerodha app could register: `localhost`. The
HTTP API must see its own: that is all this proxy changes.
"""

from collections.abc import Callable

from aiohttp import ClientSession, DummyCookieJar, web

from tools.devstack.places import HOST

HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "content-length"})
NOT_FORWARDED = HOP_BY_HOP | {"host", "x-forwarded-host", "accept-encoding"}
NOT_RETURNED = HOP_BY_HOP | {"date", "server"}
EMULATORS_OWN = "access-control-"
"""MiniStack adds CORS headers that API Gateway would not."""


class Front:
    """Passes every request to the HTTP API and every answer back, as they are.

    Args:
        port: where the browser comes.
        api_port: where MiniStack listens.
        api_id: tells the id of the deployed HTTP API, None while there is none.
    """

    def __init__(self, port: int, api_port: int, api_id: Callable[[], str | None]) -> None:
        self._port = port
        self._api = f"http://{HOST}:{api_port}"
        self._api_port = api_port
        self._api_id = api_id
        self._session: ClientSession | None = None
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen on the loopback, by both of its names."""
        self._session = ClientSession(auto_decompress=False, cookie_jar=DummyCookieJar())
        app = web.Application(client_max_size=1 << 20)
        app.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self._port).start()

    async def stop(self) -> None:
        """Close everything."""
        if self._runner:
            await self._runner.cleanup()
        if self._session:
            await self._session.close()

    async def _pass(self, request: web.Request) -> web.Response:
        api = self._api_id()
        if api is None or self._session is None:
            return web.Response(status=503, text="The stack is still starting; reload in a moment.\n")
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in NOT_FORWARDED]
        headers.append(("Host", f"{api}.execute-api.localhost:{self._api_port}"))
        headers.append(("X-Forwarded-Host", request.host))
        url, body = self._api + request.raw_path, await request.read()
        async with self._session.request(
            request.method,
            url,
            headers=headers,
            data=body,
            allow_redirects=False,
            skip_auto_headers=("Accept-Encoding",),  # only who asks for gzip may get it
        ) as answer:
            reply = web.Response(status=answer.status, body=await answer.read())
            for name, value in answer.headers.items():
                if name.lower() not in NOT_RETURNED and not name.lower().startswith(EMULATORS_OWN):
                    reply.headers.add(name, value)
            return reply
