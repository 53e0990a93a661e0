"""The front page: one address for the browser, behind which the HTTP API of the embedded AWS answers.

The browser must see a host on which `__Host-` cookies work and that a Zerodha app could register: `localhost`. The
HTTP API must see its own: that is all this proxy changes.
"""

from collections.abc import Callable

from aiohttp import ClientSession, web

from tools.devstack.places import HOST
from tools.devstack.proxy import Proxy

HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "content-length"})
NOT_FORWARDED = HOP_BY_HOP | {"host", "x-forwarded-host"}
NOT_RETURNED = HOP_BY_HOP | {"date", "server"}
EMULATORS_OWN = "access-control-"
"""MiniStack adds CORS headers that API Gateway would not."""


class Front(Proxy):
    """Passes every request to the HTTP API and every answer back, as they are.

    Args:
        port: where the browser comes.
        api_port: where MiniStack listens.
        api_id: tells the id of the deployed HTTP API, None while there is none.
    """

    def __init__(self, port: int, api_port: int, api_id: Callable[[], str | None]) -> None:
        super().__init__(port, most_bytes=1 << 20)
        self._api = f"http://{HOST}:{api_port}"
        self._api_port = api_port
        self._api_id = api_id

    async def pass_on(self, session: ClientSession, request: web.Request) -> web.Response:
        """Ask the HTTP API under its own name."""
        api = self._api_id()
        if api is None:
            return web.Response(status=503, text="The stack is still starting; reload in a moment.\n")
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in NOT_FORWARDED]
        headers.append(("Host", f"{api}.execute-api.localhost:{self._api_port}"))
        headers.append(("X-Forwarded-Host", request.host))
        url, body = self._api + request.raw_path, await request.read()
        async with session.request(
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
