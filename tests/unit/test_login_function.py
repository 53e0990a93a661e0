"""The login function over the fakes: every outcome has its page, and nothing is spent that need not be."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from functions.login_callback import app
from kite_relay.config import LoginDeployable
from kite_relay.domain.errors import ConfigurationError, KiteUnavailableError, LoginRefusedError, StoreUnavailableError
from kite_relay.domain.records import TokenRecord, timeline_key
from kite_relay.domain.token import IST
from tests.fakes.api_gateway import Answer, Browser
from tests.fakes.canaries import access_token
from tests.fakes.login_world import OWNER, World, make_world

TARGETS = ["/login", "/callback", "/login/result/x", "/login/result/expired", "/nowhere", "/logout"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Make a fresh world and put it behind the function."""
    found = make_world()
    monkeypatch.setattr(app, "deployable", lambda: found.deployable)
    return found


def test_the_button_leads_to_zerodha_with_a_state_and_a_cookie(world: World) -> None:
    """The state travels in redirect_params, its binding in a cookie of the attempt's own."""
    answer = world.browser.get("/login")
    url = urlsplit(answer.location)
    query = parse_qs(url.query)
    assert (url.scheme, url.netloc, url.path) == ("https", "kite.zerodha.com", "/connect/login")
    assert (query["v"], query["api_key"]) == (["3"], ["the-api-key"])
    state = parse_qs(query["redirect_params"][0])["state"][0]
    (cookie,) = answer.cookies
    attempt_id = state.split(".")[1]
    assert cookie.startswith(f"__Host-kr-{attempt_id}=")
    assert {"Path=/", "HttpOnly", "Secure", "SameSite=Lax", "Max-Age=1800"} == set(cookie.split("; ")[1:])
    assert world.browser.jar[f"__Host-kr-{attempt_id}"] not in answer.location


def test_a_login_is_stored_announced_and_told(world: World) -> None:
    """One exchange, one version, one event; the page is reached by a URL without the token."""
    answer = world.browser.get(world.callback())
    assert answer.status == 303
    assert "request" not in answer.location
    shown = world.browser.get(answer.location)
    assert (shown.status, "You are logged in" in shown.body) == (200, True)
    assert [token.value for token in world.tokens.versions] == [access_token()]
    (event,) = world.bus.events
    assert (event.generation, event.user_id, event.source) == (1, "AB1234", "login")
    assert event.parameter_name == "/kite-relay/access_token"
    record = TokenRecord.from_item(world.board.get(["token"])["token"])
    assert record is not None
    assert (record.generation, record.token_length, record.user_id) == (1, 32, "AB1234")
    assert record.announced_at == world.clock.now()
    day = timeline_key(world.clock.now().astimezone(IST).date())
    assert [entry["what"] for entry in world.board.get([day])[day]["entries"]] == ["login", "stored", "announced"]


def test_a_login_makes_its_browser_the_owners(world: World) -> None:
    """The result page hands over the session once; its hash stands on the board, the cookie does not."""
    shown = world.browser.follow(world.callback())
    (cookie,) = shown.cookies
    assert cookie.startswith(f"{OWNER}=")
    assert {"Path=/", "HttpOnly", "Secure", "SameSite=Lax", "Max-Age=604800"} == set(cookie.split("; ")[1:])
    assert world.browser.jar[OWNER] not in repr(world.board.items)
    assert sum(key.startswith("session#") for key in world.board.items) == 1


def test_a_reload_is_calm(world: World) -> None:
    """The second visit of the same callback spends nothing and says so."""
    target = world.callback()
    world.browser.follow(target)
    shown = world.browser.follow(target)
    assert "Already done" in shown.body
    assert not shown.cookies
    assert (world.kite.exchanges, len(world.tokens.versions), len(world.bus.events)) == (1, 1, 1)


def test_two_tabs_both_succeed(world: World) -> None:
    """Each attempt has its own cookie, so none disturbs the other, in either order."""
    first, second = world.begin(), world.begin()
    assert "You are logged in" in world.browser.follow(world.callback(state=second)).body
    assert "You are logged in" in world.browser.follow(world.callback(state=first)).body
    assert [event.generation for event in world.bus.events] == [1, 2]


def test_an_old_state_expires(world: World) -> None:
    """Ten minutes are enough for a password and a code."""
    target = world.callback()
    world.clock.advance(601)
    shown = world.browser.follow(target)
    assert (shown.status, "This link has expired" in shown.body) == (400, True)
    assert world.kite.exchanges == 0


@pytest.mark.parametrize("state", ["", "x", "v1.AAAAAAAAAAAAAAAAAAAAAA.1.AAAA", "%00", "é", "v1" * 2000])
def test_a_state_of_nobody_is_refused(world: World, state: str) -> None:
    """Before anything is spent."""
    world.begin()
    shown = world.browser.follow(f"/callback?action=login&status=success&request_token=abcdefgh12345678&state={state}")
    assert "This link has expired" in shown.body
    assert world.kite.exchanges == 0
    assert world.untouched


def test_another_browser_cannot_finish_the_login(world: World) -> None:
    """Who was sent somebody else's callback has no cookie for it, and the attempt stays open for its owner."""
    target = world.callback()
    stranger = Browser(app.handler)
    assert "This link has expired" in stranger.follow(target).body
    assert world.kite.exchanges == 0
    assert "You are logged in" in world.browser.follow(target).body


def test_another_browser_cannot_see_the_result(world: World) -> None:
    """The result belongs to the browser that began the login; a guessed cookie does not help."""
    location = world.browser.get(world.callback()).location
    stranger = Browser(app.handler)
    assert stranger.get(location).status == 404
    stranger.jar[f"__Host-kr-{location.rsplit('/', 1)[1]}"] = "A" * 43
    assert stranger.get(location).status == 404
    assert OWNER not in stranger.jar


@pytest.mark.promise(2)
@pytest.mark.parametrize("user_id", ["XY9999", "ab1234", "AB1234 ", "ΑB1234", "AB１234", "AB12345", "AB123", ""])  # noqa: RUF001 - look-alikes
def test_another_user_is_turned_away(world: World, user_id: str, measured: Callable[[str, object], None]) -> None:
    """Look-alikes too: nothing is written or announced, and their session is killed at Kite."""
    token = world.kite.issue_request_token(user_id)
    shown = world.browser.follow(world.callback(request_token=token))
    assert (shown.status, "Another Zerodha user" in shown.body) == (403, True)
    measured(f"invalidations for {user_id!r}", len(world.kite.invalidated))
    assert world.untouched
    assert len(world.kite.invalidated) == 1
    assert not world.kite.alive
    assert OWNER not in world.browser.jar


def test_a_wrong_user_that_cannot_be_invalidated_is_turned_away_all_the_same(world: World) -> None:
    """Kite's trouble does not let anybody in."""
    world.kite.fail_next("invalidate", KiteUnavailableError("down"))
    shown = world.browser.follow(world.callback("XY9999"))
    assert "Another Zerodha user" in shown.body
    assert world.untouched


@pytest.mark.parametrize("changes", [{"status": "cancelled"}, {"status": ""}, {"action": "logout"}])
def test_a_cancelled_login_changes_nothing(world: World, changes: dict[str, str]) -> None:
    """Whatever is no success is a cancellation."""
    shown = world.browser.follow(world.callback(**changes))
    assert (shown.status, "The login was cancelled" in shown.body) == (200, True)
    assert world.kite.exchanges == 0
    assert world.untouched


def test_a_cancellation_without_a_state_is_told_too(world: World) -> None:
    """Zerodha may leave redirect_params out when the user gives up."""
    assert "The login was cancelled" in world.browser.follow("/callback?status=cancelled").body


def test_zerodhas_no_is_told_in_its_words_and_harmlessly(world: World) -> None:
    """Kite's sentence is shown as text."""
    world.kite.fail_next("exchange", LoginRefusedError("Invalid <b>`checksum`</b>."))
    shown = world.browser.follow(world.callback())
    assert (shown.status, "Zerodha said no" in shown.body) == (403, True)
    assert "Invalid &lt;b&gt;`checksum`&lt;/b&gt;." in shown.body
    assert world.untouched


def test_an_unusable_request_token_is_not_tried(world: World) -> None:
    """What cannot be a request token is not sent to Kite."""
    assert "Zerodha said no" in world.browser.follow(world.callback(request_token="%3Cscript%3E")).body
    assert world.kite.exchanges == 0


def test_zerodha_out_of_reach_is_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """And it is not tried again: the request token may be spent. The operator hears of it: the alarm counts ERROR."""
    world.kite.fail_next("exchange", KiteUnavailableError("timeout"))
    shown = world.browser.follow(world.callback())
    assert [it.message for it in caplog.records if it.levelname == "ERROR"] == ["the login failed: timeout"]
    assert (shown.status, "Zerodha is out of reach" in shown.body) == (502, True)
    assert world.kite.exchanges == 1


@pytest.mark.parametrize("error", [StoreUnavailableError("down"), ConfigurationError("denied")])
def test_a_store_failure_is_a_failure(world: World, error: Exception) -> None:
    """No page speaks of success when the token is not stored; nothing is announced."""
    world.tokens.fail_next("write", error)
    shown = world.browser.follow(world.callback())
    assert (shown.status, "The token is not stored" in shown.body) == (503, True)
    assert world.untouched
    assert OWNER not in world.browser.jar


@pytest.mark.parametrize("error", [StoreUnavailableError("down"), ConfigurationError("denied")])
def test_a_publish_failure_is_a_warning(world: World, error: Exception) -> None:
    """The token is stored; the worker finds it by itself."""
    world.bus.fail_next("announce", error)
    shown = world.browser.follow(world.callback())
    assert (shown.status, "Stored, but not announced" in shown.body) == (200, True)
    assert len(world.tokens.versions) == 1
    assert OWNER in world.browser.jar
    record = TokenRecord.from_item(world.board.get(["token"])["token"])
    assert record is not None
    assert record.announced_at is None


def test_without_the_board_no_login_begins_to_spend(world: World) -> None:
    """It could not be claimed, so a double tap would spend twice: the request token is kept."""
    target = world.callback()
    world.board.trouble = StoreUnavailableError("down")
    shown = world.browser.follow(target)
    assert "The token is not stored" in shown.body
    assert world.kite.exchanges == 0


def test_a_board_that_fails_after_the_claim_does_not_break_the_login(world: World) -> None:
    """The token is stored and announced, and the page says so: the outcome comes along signed."""
    target = world.callback()
    for method in ("put", "put", "put", "append", "append", "append"):
        world.board.fail_next(method, StoreUnavailableError("down"))
    answer = world.browser.get(target)
    assert "?told=announced." in answer.location
    assert "You are logged in" in world.browser.get(answer.location).body
    assert (len(world.tokens.versions), len(world.bus.events)) == (1, 1)
    forged = answer.location.replace("announced.", "unannounced.")
    assert "Nothing to show here" in world.browser.get(forged).body


def test_a_login_in_progress_shows_a_page_that_looks_again(world: World) -> None:
    """The second of two taps arrives while the first is at work."""
    target = world.callback()
    seen: list[Answer] = []
    exchange = world.kite.exchange

    def slow_exchange(request_token: str) -> object:
        seen.append(world.browser.follow(target))
        return exchange(request_token)

    world.kite.exchange = slow_exchange  # type: ignore[method-assign, assignment]
    world.browser.follow(target)
    assert (seen[0].status, "Working on it" in seen[0].body) == (202, True)
    assert '<meta http-equiv="refresh" content="2">' in seen[0].body
    assert world.kite.exchanges == 1


@pytest.mark.parametrize(
    "headers", [{"sec-purpose": "prefetch;prerender"}, {"purpose": "prefetch"}, {"x-moz": "prefetch"}]
)
def test_a_prefetch_spends_nothing(world: World, headers: dict[str, str]) -> None:
    """The page is completed by being opened, not by being loaded in advance."""
    target = world.callback()
    assert world.browser.get(target, headers).status == 503
    assert world.kite.exchanges == 0
    assert "You are logged in" in world.browser.follow(target).body


def test_head_spends_nothing(world: World) -> None:
    """A link checker asks with HEAD."""
    target = world.callback()
    assert world.browser.request("HEAD", target).status == 404
    assert world.kite.exchanges == 0


def test_a_parameter_that_is_there_twice_counts_as_absent(world: World) -> None:
    """Nobody honest sends one twice."""
    target = world.callback()
    assert "This link has expired" in world.browser.follow(f"{target}&state=v1.x").body
    assert world.kite.exchanges == 0


def test_many_open_tabs_do_not_grow_the_cookie_header_for_ever(world: World) -> None:
    """The oldest attempts are given up; the newest still work."""
    states = [world.begin() for _ in range(20)]
    assert len(world.browser.jar) == 8
    assert "You are logged in" in world.browser.follow(world.callback(state=states[-1])).body
    assert "This link has expired" in world.browser.follow(world.callback(state=states[0])).body


def test_without_keys_the_button_says_what_to_do(world: World) -> None:
    """A page, no crash."""
    world.parameters.values.clear()
    shown = world.browser.get("/login")
    assert (shown.status, "kite-relay setup" in shown.body) == (503, True)


@pytest.mark.parametrize("path", ["/callback?status=success", "/login/result/" + "A" * 22])
def test_a_function_that_is_not_set_up_says_so_everywhere(
    world: World, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """What a person must mend is no bug of ours."""

    def incomplete() -> LoginDeployable:
        raise ConfigurationError("the environment is not complete: EVENT_BUS is not set")

    monkeypatch.setattr(app, "deployable", incomplete)
    world.browser.jar["__Host-kr-" + "A" * 22] = "binding"
    shown = world.browser.get(path)
    assert (shown.status, "kite-relay doctor" in shown.body) == (503, True)
    assert "EVENT_BUS" not in shown.body


def test_a_bug_is_a_page_too(world: World) -> None:
    """Whatever happens, the answer is clean and carries the headers."""
    world.kite.fail_next("exchange", RuntimeError("a bug with request_token=abcdefgh12345678"))
    shown = world.browser.get(world.callback())
    assert (shown.status, "Something broke" in shown.body) == (500, True)
    assert "abcdefgh" not in shown.body
