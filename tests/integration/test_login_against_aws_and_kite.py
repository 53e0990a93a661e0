"""The login function against moto's AWS and the simulated Kite: every outcome, and many callbacks at once."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from unittest import mock
from urllib.parse import urlsplit

import pytest

from functions.login_callback import app
from kite_relay.config import LoginDeployable, login_deployable
from kite_relay.domain.errors import StoreUnavailableError
from kite_relay.domain.login import read_answer
from kite_relay.usecases.complete_login import complete_login
from tests.fakes.api_gateway import Browser
from tests.integration.aws_and_kite import Place, aws_and_kite

AT_ONCE = 50


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Wire the function to AWS and Kite from the environment."""
    with aws_and_kite() as found:
        deployable = login_deployable()
        monkeypatch.setattr(app, "deployable", lambda: deployable)
        yield found


def test_every_outcome_has_its_page(place: Place, measured: Callable[[str, object], None]) -> None:
    """In one process, over real adapters: what is told is what happened."""
    told = {}

    def tell(name: str, target: str, title: str, versions: int, events: int) -> None:
        before = place.version()
        shown = place.browser.follow(target)
        assert title in shown.body, (name, shown.body)
        assert (place.version() - before, place.announced()) == (versions, events), name
        told[name] = int(shown.status)

    first = place.callback()
    tell("stored and announced", first, "You are logged in", 1, 1)
    tell("already done", first, "Already done", 0, 0)
    tell("wrong user", place.callback("XY9999"), "Another Zerodha user", 0, 0)
    tell("cancelled", place.callback(status="cancelled"), "The login was cancelled", 0, 0)
    tell("expired", "/callback?action=login&status=success&request_token=abcdefgh1234", "This link has expired", 0, 0)
    tell("Zerodha says no", place.callback(request_token="neverissued0123"), "Zerodha said no", 0, 0)
    target = place.callback()
    place.kite("rest", status=503, times=1)
    tell("Zerodha unreachable", target, "Zerodha is out of reach", 0, 0)
    with mock.patch.object(app.deployable().tokens, "write", side_effect=StoreUnavailableError("SSM is down")):
        tell("store failed", place.callback(), "The token is not stored", 0, 0)
    with mock.patch.object(app.deployable().bus, "announce", side_effect=StoreUnavailableError("down")):
        tell("stored, not announced", place.callback(), "Stored, but not announced", 1, 0)
    measured("outcomes", told)


@pytest.mark.promise(3)
def test_many_callbacks_at_once_are_one_login(
    place: Place, at_scale: Callable[[int, int], int], measured: Callable[[str, object], None]
) -> None:
    """50 identical callbacks at the same moment: one exchange, one version, one event; all pages are calm."""
    rounds = at_scale(3, 100)
    for number in range(rounds):
        target = place.callback()
        before, spent = place.version(), place.exchanges()
        locations = _at_once(app.deployable(), place.browser, target)
        shown = [place.browser.get(location) for location in locations]
        assert all(int(page.status) == 200 for page in shown)
        assert sum("You are logged in" in page.body for page in shown) == 1
        assert sum("Already done" in page.body for page in shown) == AT_ONCE - 1
        counted = (place.exchanges() - spent, place.version() - before, place.announced())
        assert counted == (1, 1, 1), number
    measured("rounds", rounds)
    measured("exchanges, versions, events per round", [1, 1, 1])


def _at_once(ports: LoginDeployable, browser: Browser, target: str) -> list[str]:
    """Complete the same callback in 50 threads, as 50 Lambdas would; returns where each sends the browser."""
    answer = read_answer(urlsplit(target).query)
    prefix = "__Host-kr-"
    bindings = {name.removeprefix(prefix): value for name, value in browser.jar.items()}
    barrier = threading.Barrier(AT_ONCE)

    def complete(_: int) -> str:
        barrier.wait()
        done = complete_login(ports, answer, bindings)
        return f"/login/result/{done.attempt_id}{'' if done.ending else '?again=1'}"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(complete, range(AT_ONCE)))
