"""A browser without a screen: follows the login as a person's would, cookies and all."""

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiohttp import ClientSession, CookieJar
from yarl import URL

from tools.devstack.trouble import StackError

REDIRECTS = (302, 303)
OK = 200


@dataclass(frozen=True, slots=True)
class Login:
    """How one login went.

    Args:
        called_back_at: the wall clock when Zerodha's answer was carried to /callback.
        page: the text of the result page.
    """

    called_back_at: float
    page: str


class Browser:
    """One person's browser; `async with Browser(page) as browser`.

    Args:
        page: the front page's address; on localhost a browser keeps `Secure` cookies without TLS.
    """

    def __init__(self, page: str) -> None:
        self._page = page
        self._session: ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = ClientSession(cookie_jar=CookieJar(treat_as_secure_origin=URL(self._page)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._tab.close()

    async def log_in(self, user_id: str) -> Login:
        """Press the button, fill in Zerodha's form, and come back.

        Raises:
            StackError: a step did not lead to the next one.
        """
        form = await self._redirect("GET", URL(f"{self._page}/login"))
        fields = {"user_id": user_id, "password": "any", "totp": "000000", "do": "login"}
        callback = await self._redirect("POST", form, fields)
        called_back_at = time.time()
        result = await self._redirect("GET", callback)
        return Login(called_back_at, await self._read(result))

    async def get_json(self, path: str) -> object:
        """Read one of the status paths."""
        async with self._tab.get(self._page + path) as answer:
            return await answer.json()

    @property
    def _tab(self) -> ClientSession:
        if self._session is None:
            raise StackError("the browser is not open")
        return self._session

    async def _redirect(self, method: str, url: URL, fields: dict[str, str] | None = None) -> URL:
        async with self._tab.request(method, url, data=fields, allow_redirects=False) as answer:
            if answer.status not in REDIRECTS:
                raise StackError(f"{method} {url.path} led nowhere: {answer.status}\n{await answer.text()}")
            return url.join(URL(answer.headers["Location"], encoded=True))

    async def _read(self, url: URL) -> str:
        async with self._tab.get(url) as answer:
            text = await answer.text()
            if answer.status != OK:
                raise StackError(f"GET {url.path}: {answer.status}\n{text}")
            return text
