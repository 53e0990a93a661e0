"""What the development stack's two proxies share: they listen on the loopback and ask another address in turn."""

from abc import ABC, abstractmethod

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, web

from tools.devstack.places import HOST


class Proxy(ABC):
    """Listens, and hands every request to `pass_on`; keeps no cookie and changes no body of its own accord.

    Args:
        port: where it listens.
        most_bytes: the longest body of a request.
    """

    def __init__(self, port: int, most_bytes: int) -> None:
        self._port = port
        self._most_bytes = most_bytes
        self._session: ClientSession | None = None
        self._runner: web.AppRunner | None = None

    @abstractmethod
    async def pass_on(self, session: ClientSession, request: web.Request) -> web.Response:
        """Answer a request by asking the other side."""

    async def start(self) -> None:
        """Listen on the loopback."""
        self._session = ClientSession(
            auto_decompress=False, cookie_jar=DummyCookieJar(), timeout=ClientTimeout(total=None)
        )
        app = web.Application(client_max_size=self._most_bytes)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self._port).start()

    async def stop(self) -> None:
        """Close everything."""
        if self._runner:
            await self._runner.cleanup()
        if self._session:
            await self._session.close()

    async def _answer(self, request: web.Request) -> web.Response:
        if self._session is None:
            return web.Response(status=503, text="Not started yet.\n")
        return await self.pass_on(self._session, request)
