"""The real Chromium, and what every page must keep: no error, no foreign request, nothing serious for axe."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Request

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
PHONE, DESKTOP = (360, 640), (1280, 900)


def launch(playwright: Playwright) -> Browser:
    """Start Chromium; a missing one fails in CI, and skips elsewhere with a sentence."""
    if not os.access(CHROMIUM, os.X_OK):
        sentence = "no Chromium here: apt-get install chromium, or name one with CHROMIUM=/path"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(sentence)
    return playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))


class Visit:
    """One page, and all that it said and asked for.

    Args:
        page: Playwright's page.
        origins: the origins that it may speak to.
    """

    def __init__(self, page: Page, origins: set[str]) -> None:
        self.page = page
        self.origins = origins
        self.errors: list[str] = []
        self.foreign: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._request)
        page.on("websocket", lambda socket: self._address(socket.url))

    def _console(self, message: ConsoleMessage) -> None:
        expected = "status of 503" in message.text or "WebSocket connection to" in message.text
        if message.type == "error" and not expected:
            self.errors.append(message.text)

    def _request(self, request: Request) -> None:
        self._address(request.url)

    def _address(self, url: str) -> None:
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" not in self.origins and parts.scheme != "data":
            self.foreign.append(url)

    def text(self, selector: str) -> str:
        """Read what a person sees there."""
        return self.page.locator(selector).inner_text()

    def wait(self, true: Callable[[], bool], what: str, seconds: float = 15) -> None:
        """Wait until something is so, while the page goes on living."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, f"{what}: not within {seconds} s; the page says: {self.text('body')[:600]}"
            self.page.wait_for_timeout(30)

    def wait_for(self, selector: str, words: str, seconds: float = 15) -> None:
        """Wait until these words stand there."""
        self.wait(lambda: words in self.text(selector), f"{words!r} in {selector}", seconds)

    def shoot(self, name: str) -> None:
        """Keep what is seen now, when screenshots are asked for (`make screenshots`)."""
        if folder := os.environ.get("SCREENSHOTS"):
            self.page.screenshot(path=f"{folder}/{name}.png")

    def check(self) -> None:
        """Hold the page to what every page must keep."""
        assert self.errors == []
        assert self.foreign == []
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"the page is {wide} px wider than the screen"
        found = Axe().run(self.page).response["violations"]
        grave = [it for it in found if it["impact"] in ("serious", "critical")]
        assert grave == [], [(it["id"], [node["html"] for node in it["nodes"]]) for it in grave]


@contextmanager
def visit(
    browser: Browser, origins: set[str], *, size: tuple[int, int] = PHONE, scheme: Any = "light", **options: Any
) -> Iterator[Visit]:
    """Open a tab of its own."""
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **options)
    context.set_default_timeout(15_000)
    try:
        yield Visit(context.new_page(), origins)
    finally:
        context.close()
