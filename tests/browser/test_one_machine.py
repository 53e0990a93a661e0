"""docs/one-machine.md in a real Chromium: three commands, a login at the simulated Zerodha, live prices."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import PHONE, visit
from tests.browser.zerodha import log_in, moving
from tools.devstack.places import Ports

pytestmark = pytest.mark.browser
COMMAND = str(Path(sys.executable).with_name("kite-relay"))


class Machine:
    """`kite-relay sim` and `kite-relay serve`, as they are typed."""

    def __init__(self, folder: Path) -> None:
        self.ports = Ports.free()
        self.page = f"http://localhost:{self.ports.page}"
        kite = f"127.0.0.1:{self.ports.simulator}"
        folder.joinpath(".env").write_text(
            "KITE_API_KEY=simulatorkey\nKITE_API_SECRET=simulator-secret\nALLOWED_USER_IDS=AB1234\n"
            f"KITE_API_ROOT=http://{kite}\nKITE_LOGIN_ROOT=http://localhost:{self.ports.simulator}\n"
            f"KITE_TICKER_ROOT=ws://{kite}/ticker\nRELAY_PORT={self.ports.relay}\nWEB_PORT={self.ports.worker}\n"
        )
        self._folder = folder
        self._programs: list[subprocess.Popen[bytes]] = []

    def start(self, words: str, *arguments: str) -> None:
        """Start a command, and wait until it has said these words."""
        log = self._folder / arguments[0]
        base = {"KITE_RELAY_PORT_BASE": str(self.ports.base), "PATH": os.environ["PATH"], "HOME": str(self._folder)}
        with log.open("wb") as out:
            process = subprocess.Popen([COMMAND, *arguments], cwd=self._folder, env=base, stdout=out, stderr=out)  # noqa: S603 - our own
        self._programs.append(process)
        end = time.monotonic() + 40
        while words not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)

    def end(self) -> None:
        """End both."""
        for process in reversed(self._programs):
            process.terminate()
            process.wait(20)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Type the commands."""
    made = Machine(tmp_path)
    try:
        made.start("", "sim", "--redirect-url", f"{made.page}/callback")
        made.start("press Log in", "serve")
        yield made
    finally:
        made.end()


def test_from_nothing_to_live_prices(chromium: Browser, machine: Machine) -> None:
    """The same page as in AWS, over one file: a button, Zerodha, prices that move; nothing foreign is asked."""
    ports = machine.ports
    origins = {machine.page, f"ws://localhost:{ports.relay}", f"http://localhost:{ports.simulator}"}
    with visit(chromium, origins, size=PHONE) as tab:
        tab.page.goto(machine.page)
        tab.page.get_by_role("link", name="Log in").click()
        log_in(tab, "AB1234")
        tab.check()
        tab.page.get_by_role("link", name="Open the dashboard").click()
        moving(tab)
        tab.wait_for("#timeline", "First tick", 30)
        tab.check()
