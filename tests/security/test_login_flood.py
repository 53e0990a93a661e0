"""A hundred presses a second of the login button, and of the way back: little work, nothing spent, nothing kept."""

import time
import tracemalloc
from array import array
from collections.abc import Callable
from urllib.parse import quote

import pytest

from functions.login_callback import app
from functions.login_callback.cookies import MAX_ATTEMPTS
from kite_relay.domain import login
from tests.fakes.api_gateway import Browser
from tests.fakes.login_world import World, make_world
from tests.policies import Template

RATE = 100
BUSY = 10.0
"""Milliseconds that one request may take, 99 times of 100: at a hundred a second, all that one process has."""
KEPT = 50_000
"""Bytes that may be left behind by a flood: caches, once."""


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Make a fresh world and put it behind the function."""
    found = make_world()
    monkeypatch.setattr(app, "deployable", lambda: found.deployable)
    return found


def flood(world: World, seconds: int, press: Callable[[int], int]) -> tuple[float, int]:
    """Press a hundred times a second; gives the p99 in milliseconds and the bytes left behind."""
    press(-1)
    took = array("d", bytes(8 * RATE * seconds))  # made before the count begins: the times are the test's own
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number in range(RATE * seconds):
        began = time.perf_counter()
        status = press(number)
        took[number] = (time.perf_counter() - began) * 1000
        assert status in (302, 303)
        world.clock.advance(1 / RATE)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return sorted(took)[len(took) * 99 // 100], after - before


@pytest.mark.promise(14)
@pytest.mark.measures
def test_a_flood_of_logins_costs_nothing_that_stays(
    world: World, measured: Callable[[str, object], None], at_scale: Callable[[int, int], int], patience: float
) -> None:
    """By strangers, each in a new browser: no exchange, no write, no call that is not bounded."""
    seconds = at_scale(5, 60)
    p99, left = flood(world, seconds, lambda _: Browser(app.handler).get("/login").status)
    measured("logins begun at 100/s", RATE * seconds)
    measured("one login's p99, ms", round(p99, 2))
    measured("exchanges", world.kite.exchanges)
    measured("records left on the board", len(world.board.items))
    assert world.kite.exchanges == len(world.board.items) == sum(world.board.calls.values()) == 0
    assert world.untouched
    assert left <= KEPT
    assert p99 <= BUSY * patience


@pytest.mark.promise(14)
def test_a_flood_of_answers_that_belong_to_nobody_writes_nothing(
    world: World, at_scale: Callable[[int, int], int]
) -> None:
    """The way back, with states that are none: refused before anything is claimed."""
    state = quote("1.abcdefghijklmnop.1.mac")
    answer = f"/callback?action=login&status=success&request_token=abcdefgh12345678&state={state}"
    flood(world, at_scale(2, 60), lambda _: Browser(app.handler).get(answer).status)
    assert world.kite.exchanges == sum(world.board.calls.values()) == 0


@pytest.mark.promise(14)
def test_one_browser_that_presses_without_end_keeps_few_cookies(world: World) -> None:
    """Its own older attempts go: a request's headers must not grow until API Gateway refuses them."""
    browser = Browser(app.handler)
    for _ in range(100):
        assert browser.get("/login").status == 302
    assert len(browser.jar) <= MAX_ATTEMPTS


@pytest.mark.promise(14)
def test_what_a_true_attempt_leaves_outlives_its_time_by_nothing(
    world: World, measured: Callable[[str, object], None]
) -> None:
    """Only a browser that began a login can make a record, one for each, and every one has its end written in it."""
    for _ in range(50):
        world.browser.jar.clear()
        world.browser.get(world.callback(request_token="abcdefgh12345678"))
    ends = [end for key, (_, end) in world.board.items.items() if key.startswith("login#")]
    measured("records of 50 attempts", len(ends))
    latest = (world.clock.now() + login.CLAIM_LIFE).timestamp() + 1
    assert len(ends) == 50
    assert all(end is not None and end <= latest for end in ends)


@pytest.mark.promise(14)
def test_the_gateway_lets_two_logins_a_second_through(measured: Callable[[str, object], None]) -> None:
    """The stage's own throttle stands before the function: of a hundred a second it sees a fraction."""
    routes = Template().resources["HttpApi"]["Properties"]["RouteSettings"]
    measured("logins a second that reach the function", routes["GET /login"]["ThrottlingRateLimit"])
    assert routes["GET /login"]["ThrottlingRateLimit"] <= RATE / 10
    assert routes["GET /login"]["ThrottlingBurstLimit"] <= RATE / 2
    assert routes["GET /callback"]["ThrottlingRateLimit"] <= RATE / 10
