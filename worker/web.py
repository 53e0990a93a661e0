"""Health and metrics over HTTP, for the host's eyes only (bound to loopback by default)."""

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

OK, UNREADY = 200, 503

Findings = Callable[[], list[dict[str, Any]]]


class Web:
    """Serves /healthz (the loop turns), /readyz (clients can be served), /metrics, /ages (of last prices, no prices).

    /readyz also lists what is wrong and hurts no client: it is the place to look when the status board is out of reach.

    Args:
        host: where to listen.
        port: the port; 0 takes a free one.
        reasons: why clients cannot be served now; empty when they can.
        findings: what else is wrong.
        render: gives the metrics' text.
        ages: gives the seconds since each instrument's last packet.
    """

    def __init__(
        self,
        host: str,
        port: int,
        reasons: Findings,
        findings: Findings,
        render: Callable[[], bytes],
        ages: Callable[[], Mapping[int, float]],
    ) -> None:
        self._host = host
        self._port = port
        self._reasons = reasons
        self._findings = findings
        self._render = render
        self._ages = ages
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/ages", self._show_ages)
        self._runner = web.AppRunner(app, access_log=None)

    async def start(self) -> int:
        """Listen; returns the port."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
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

    async def _show_ages(self, _: web.Request) -> web.Response:
        return web.json_response({str(token): round(age, 1) for token, age in self._ages().items()})

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._render(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
