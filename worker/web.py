"""Health and metrics over HTTP, for the host's eyes only (bound to loopback by default)."""

import errno
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

OK, UNREADY = 200, 503

Findings = Callable[[], list[dict[str, Any]]]
Handler = Callable[[web.Request], Awaitable[web.Response]]


class Web:
    """Serves /healthz (the loop turns), /readyz (clients can be served), /metrics, /ages (of last prices, no prices).

    /readyz also lists what is wrong and hurts no client: it is the place to look when the status board is out of reach.

    Args:
        host: where to listen.
        port: the port; 0 takes a free one.
        ports: the first free one of so many, from `port` on: several processes may run beside each other.
        reasons: why clients cannot be served now; empty when they can.
        findings: what else is wrong.
        render: gives the metrics' text.
        ages: gives the seconds since each instrument's last packet; without it there is no such page.
    """

    def __init__(
        self,
        host: str,
        port: int,
        reasons: Findings,
        findings: Findings,
        render: Callable[[], bytes],
        ages: Callable[[], Mapping[int, float]] | None = None,
        ports: int = 1,
    ) -> None:
        self._host = host
        self._ports = range(port, port + ports)
        self._reasons = reasons
        self._findings = findings
        self._render = render
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        if ages:
            app.router.add_get("/ages", _page_of(ages))
        self._runner = web.AppRunner(app, access_log=None)

    async def start(self) -> int:
        """Listen; returns the port."""
        await self._runner.setup()
        for port in self._ports:
            try:
                await web.TCPSite(self._runner, self._host, port).start()
                break
            except OSError as error:
                if error.errno != errno.EADDRINUSE or port == self._ports[-1]:
                    raise
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Listen no more."""
        await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readyz(self, _: web.Request) -> web.Response:
        reasons = self._reasons()
        body = {"status": "not ready" if reasons else "ready", "findings": [*reasons, *self._findings()]}
        return web.json_response(body, status=UNREADY if reasons else OK)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._render(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


def _page_of(ages: Callable[[], Mapping[int, float]]) -> Handler:
    async def show(_: web.Request) -> web.Response:
        return web.json_response({str(token): round(age, 1) for token, age in ages().items()})

    return show
