"""The whole morning against the whole stack: the deployed template, the real worker, the simulated Kite, a person."""

import asyncio
import os
import signal
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import DESKTOP, PHONE, Visit, visit
from tests.browser.zerodha import log_in, moving
from tools.devstack.places import ROOT, Home, Ports
from tools.devstack.stack import USER_ID, DevStack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(240)]


class Running:
    """A stack in a loop of its own thread, so that Playwright's synchronous hand can drive the browser."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.stack = DevStack(Home.named("browser"), Ports.free(), say=lambda _: None)

    def run(self, work: Coroutine[Any, Any, Any], seconds: float = 180) -> Any:
        """Run something in the stack's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def end(self) -> None:
        """Take everything down."""
        try:
            self.run(self.stack.__aexit__(None, None, None))
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    @property
    def origins(self) -> set[str]:
        """The page, the relay, and Zerodha's login page, which the person visits."""
        ports = self.stack.ports
        return {self.stack.page, f"ws://localhost:{ports.relay}", f"http://localhost:{ports.simulator}"}


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """Bring the stack up once; without its environments the reason is told."""
    missing = [name for name in ("ministack", "sam") if not Path(ROOT, ".envs", name, ".stamp").exists()]
    if missing:
        sentence = f"the stack needs the environments {', '.join(missing)}: `make run` makes them"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(sentence)
    made = Running()
    try:
        made.run(made.stack.__aenter__())
        yield made
    finally:
        made.end()


def test_expired_login_live_handover_crash(chromium: Browser, running: Running) -> None:
    """No token, one button, Zerodha, a calm page, prices; again while they flow; and over a killed worker."""
    stack = running.stack
    with visit(chromium, running.origins, size=PHONE, device_scale_factor=2) as tab:
        tab.page.goto(stack.page)
        tab.page.get_by_role("link", name="Log in").click()
        tab.shoot("zerodha")
        log_in(tab, USER_ID)
        assert "request_token" not in tab.page.url
        tab.shoot("login-result")
        tab.check()
        tab.page.get_by_role("link", name="Open the dashboard").click()
        moving(tab)
        tab.wait_for("#timeline", "First tick", 30)
        tab.check()
        tab.shoot("dashboard-holiday")

        watch_gaps(tab)
        second_login(chromium, running)
        tab.wait(lambda: tab.text("#versions").count("token 2") == 1, "the second token", 40)
        moving(tab)
        assert tab.page.evaluate("window.worst") < 2000, "the handover showed"
        assert tab.page.evaluate("window.warned") == 0

        running.run(kill_worker(stack))
        tab.wait_for("body", "Prices are stale since", 20)
        running.run(stack.start_worker())
        tab.wait(lambda: not tab.page.locator("#stale").is_visible(), "the end of the warning", 40)
        moving(tab)
        tab.check()


def watch_gaps(tab: Visit) -> None:
    """Note in the page the longest time without a change of any price, and every warning shown."""
    tab.page.evaluate(
        """() => {
            window.worst = 0; window.warned = 0; let last = performance.now();
            new MutationObserver(() => {
                const now = performance.now(); window.worst = Math.max(window.worst, now - last); last = now;
            }).observe(document.getElementById("prices"), {characterData: true, subtree: true});
            const stale = document.getElementById("stale");
            new MutationObserver(() => { if (!stale.hidden) window.warned += 1 }).observe(stale, {attributes: true});
        }"""
    )


def second_login(chromium: Browser, running: Running) -> None:
    """Log in on another device."""
    with visit(chromium, running.origins, size=DESKTOP) as other:
        other.page.goto(f"{running.stack.page}/login")
        log_in(other, USER_ID)


async def kill_worker(stack: DevStack) -> None:
    """Kill the worker as a power cut would."""
    os.kill(stack.children.pid("worker"), signal.SIGKILL)
    await stack.children.stop("worker")
