"""Logging out: the owner's button, and nobody else's."""

import pytest

from functions.login_callback import app
from kite_relay.domain.errors import KiteUnavailableError, StoreUnavailableError
from kite_relay.domain.token import LOGGED_OUT
from tests.fakes.canaries import access_token
from tests.fakes.login_world import OWNER, World, make_world

SAME_ORIGIN = {"sec-fetch-site": "same-origin"}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Make a fresh world and put it behind the function."""
    found = make_world()
    monkeypatch.setattr(app, "deployable", lambda: found.deployable)
    return found


def test_the_owner_logs_out(world: World) -> None:
    """The token dies at Kite, a generation without a token is stored and announced, and the cookies are taken back."""
    world.browser.follow(world.callback())
    shown = world.browser.request("POST", "/logout", SAME_ORIGIN)
    assert (shown.status, "You are logged out" in shown.body) == (200, True)
    assert world.kite.invalidated == [access_token()]
    assert [token.value for token in world.tokens.versions][-1] == LOGGED_OUT
    assert [(event.generation, event.source) for event in world.bus.events] == [(1, "login"), (2, "logout")]
    assert not world.browser.jar
    assert not any(key.startswith("session#") for key in world.board.items)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "https://evil.example"},
        {"origin": "https://evil.example", "host": "evil.example", "x-forwarded-host": "evil.example"},
        {"origin": "null"},
    ],
)
def test_another_site_cannot_log_the_owner_out(world: World, headers: dict[str, str]) -> None:
    """Neither Host nor X-Forwarded-Host has a say."""
    world.browser.follow(world.callback())
    assert world.browser.request("POST", "/logout", headers).status == 403
    assert not world.kite.invalidated


def test_an_old_browser_names_its_origin(world: World) -> None:
    """Without Sec-Fetch-Site, the origin is compared with the name that API Gateway was reached by."""
    world.browser.follow(world.callback())
    origin = {"origin": "https://abc.execute-api.ap-south-1.amazonaws.com"}
    assert world.browser.request("POST", "/logout", origin).status == 200


@pytest.mark.parametrize("session", ["", "A" * 43, "x", "é" * 43])
def test_a_stranger_cannot_log_the_owner_out(world: World, session: str) -> None:
    """Only the session that the board knows counts."""
    world.browser.follow(world.callback())
    world.browser.jar[OWNER] = session
    assert world.browser.request("POST", "/logout", SAME_ORIGIN).status == 403
    assert not world.kite.invalidated


def test_a_session_ends_after_a_week(world: World) -> None:
    """The board outlives no session."""
    world.browser.follow(world.callback())
    world.clock.advance(7 * 86400 + 1)
    assert world.browser.request("POST", "/logout", SAME_ORIGIN).status == 403


def test_a_logout_without_an_answer_from_zerodha_changes_nothing(world: World) -> None:
    """The same button works again later."""
    world.browser.follow(world.callback())
    world.kite.fail_next("invalidate", KiteUnavailableError("down"))
    assert world.browser.request("POST", "/logout", SAME_ORIGIN).status == 502
    assert len(world.tokens.versions) == 1
    assert world.browser.request("POST", "/logout", SAME_ORIGIN).status == 200


def test_a_logout_that_the_store_refuses_is_told(world: World) -> None:
    """The token is dead at Kite, but the store still has it: press again."""
    world.browser.follow(world.callback())
    world.tokens.fail_next("write", StoreUnavailableError("down"))
    shown = world.browser.request("POST", "/logout", SAME_ORIGIN)
    assert (shown.status, "The logout is not complete" in shown.body) == (503, True)


def test_a_second_logout_is_calm(world: World) -> None:
    """There is no token to end."""
    world.browser.follow(world.callback())
    jar = dict(world.browser.jar)
    world.browser.request("POST", "/logout", SAME_ORIGIN)
    world.browser.follow(world.callback())
    world.tokens.write(LOGGED_OUT)
    assert "There was no token to end" in world.browser.request("POST", "/logout", SAME_ORIGIN).body
    world.browser.jar = jar
    assert world.browser.request("POST", "/logout", SAME_ORIGIN).status == 403
