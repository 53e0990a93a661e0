"""A browser without a screen: follows the login as a person's would, cookies and all."""

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiohttp import ClientSession, CookieJar
from yarl import URL

from tools.devstack.trouble import StackError

REDIRECTS = (302, 303)


@dataclass(frozen=True, slots=True)
class Login:
    """How one login went.

    Args:
        called_back_at: the wall clock when Zerodha's answer was carried to /callback.
        status: of the result page; 200 when the token is stored.
        page: the text of the result page.
    """

    called_back_at: float
    status: int
    page: str


class Browser:
    """One person's browser; `async with Browser(page) as browser`.

    Args:
        page: the front page's address; on localhost a browser keeps `Secure` cookies without TLS.
    """

    def __init__(self, page: str) -> None:
        self.page = page
        self._session: ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = ClientSession(cookie_jar=CookieJar(treat_as_secure_origin=URL(self.page)))
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
        form = await self._redirect("GET", URL(f"{self.page}/login"))
        fields = {"user_id": user_id, "password": "any", "totp": "000000", "do": "login"}
        callback = await self._redirect("POST", form, fields)
        called_back_at = time.time()
        result = await self._redirect("GET", callback)
        async with self._tab.get(result) as answer:
            return Login(called_back_at, answer.status, await answer.text())

    async def get(self, path: str) -> str:
        """Open one of our pages, or read one of the API's paths."""
        async with self._tab.get(self.page + path) as answer:
            return await answer.text()

    async def post(self, path: str) -> str:
        """Press a button of the dashboard: the request comes from our own page.

        Raises:
            StackError: it was refused.
        """
        ours = {"Origin": self.page, "Sec-Fetch-Site": "same-origin"}
        async with self._tab.post(self.page + path, headers=ours) as answer:
            text = await answer.text()
            if not answer.ok:
                raise StackError(f"POST {path}: {answer.status}\n{text}")
            return text

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
