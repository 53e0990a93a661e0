"""The status API against its contract: names, meanings, who sees what, and what happens when nothing answers."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from functions.status.openapi import document
from functions.status.routes import LOGINS_ROUTES, ROUTES
from kite_relay import __version__
from kite_relay.domain.records import TokenCheck, TokenRecord
from tests.fakes.canaries import SESSION
from tests.fakes.status_api import KEY, ORIGIN, OWNER_COOKIE, StatusApi
from tests.fakes.world import World, ist

PROBLEM = "application/problem+json"


@pytest.fixture
def world() -> World:
    """Give a good trading morning."""
    world = World("2026-11-27 10:00")
    world.live()
    return world


@pytest.fixture
def api(world: World) -> StatusApi:
    """Give the API over it."""
    return StatusApi(world)


def fits(name: str, body: Any) -> None:
    """Check a body against its schema in the published document."""
    Draft202012Validator({"$ref": f"#/components/schemas/{name}", **document()}).validate(body)


def test_token_status_is_the_contracts(api: StatusApi) -> None:
    """The whole body, word by word, as the contract shows it."""
    answer = api.ask("/api/token-status")
    body = answer.json
    fits("TokenStatus", body)
    assert answer.status == 200
    assert body["timestamp"] == "2026-11-27T10:00:00+05:30"
    assert body["ist_time"] == "2026-11-27 10:00:00 Friday"
    assert body["credentials"] == {"api_key_present": True, "access_token_present": True, "token_length": 32}
    assert body["token_expiry"] == {
        "expires_at": "2026-11-28 06:00:00",
        "hours_until_expiry": 20.0,
        "likely_valid": True,
        "status": "VALID",
        "verified_at": "2026-11-27T08:47:00+05:30",
        "minted_at": "2026-11-27T08:47:00+05:30",
        "generation": 7,
    }
    market = body["market"]
    assert {key: market[key] for key in ("status", "is_weekend", "market_open_time", "market_close_time")} == {
        "status": "LIVE",
        "is_weekend": False,
        "market_open_time": "09:15 AM IST",
        "market_close_time": "03:30 PM IST",
    }
    assert market["holiday"] is None
    assert market["next_change"] == {"at": "2026-11-27T15:30:00+05:30", "status": "CLOSED"}
    assert {name: phase["until"][11:16] for name, phase in market["segments"].items()} == {
        "cash": "15:30",
        "cash_cas": "15:15",
        "derivatives": "15:40",
    }
    assert body["next_action"] == "Nothing to do: market LIVE until 3:30 PM"


def test_a_closed_market_says_when_it_opens(world: World, api: StatusApi) -> None:
    """The contract's own sentence."""
    world.clock.jump(ist("2026-11-24 12:00"))  # Guru Nanak Jayanti
    world.live()
    body = api.ask("/api/token-status").json
    assert body["next_action"] == "Market CLOSED - opens tomorrow 9:15 AM"
    assert (body["market"]["holiday"], body["market"]["market_open_time"]) == ("Guru Nanak Jayanti", None)


def test_without_a_token_everything_is_null_that_hangs_on_it(world: World, api: StatusApi) -> None:
    """No expiry, no length, and the way to the login."""
    world.store.stamp = None
    world.board.items.clear()
    world.beat(generation=0, connected=False, last_tick_at=None)
    body = api.ask("/api/token-status").json
    fits("TokenStatus", body)
    assert body["credentials"]["access_token_present"] is False
    assert body["credentials"]["token_length"] == 0
    assert body["token_expiry"]["expires_at"] is body["token_expiry"]["hours_until_expiry"] is None
    assert body["next_action"] == f"Log in: {ORIGIN}/login"


def test_the_owner_sees_the_detail(world: World, api: StatusApi) -> None:
    """Every part of the contract, filled."""
    api.log_in()
    heard = {"at": "2026-11-27T03:17:01+00:00", "what": "received", "generation": 7}
    world.board.items["timeline#2026-11-27"]["entries"].insert(0, heard)
    answer = api.owner("/api/health/detailed")
    body = answer.json
    fits("Health", body)
    assert answer.status == 200
    assert (body["status"], body["backend"], body["redis"]) == ("healthy", "running", "not_configured")
    assert body["verdict"].startswith(
        "Live: ticks are flowing. The token from 08:47 IST should last until tomorrow 06:00 IST"
    )
    assert body["zerodha"] == {"api_key": "configured", "access_token": "configured"}
    assert body["features"] == {
        "market_feed": "active",
        "websocket": "active",
        "relay": "active",
        "ai_analysis": "active",
        "news_detection": "not_connected",
    }
    assert (body["auto_reload"], body["auto_reload_generation"]) == ("enabled", 7)
    assert {key: body["worker"][key] for key in ("generation", "connected", "subscriptions", "version")} == {
        "generation": 7,
        "connected": True,
        "subscriptions": 3,
        "version": __version__,
    }
    assert body["worker"]["clients"][0]["name"] == "ai_analysis"
    stored = {"at": "2026-11-27T08:47:00+05:30", "what": "stored", "generation": 7}
    assert body["timeline"] == [stored, heard], "not in the order of time"
    assert (body["findings"], body["detail"]) == ([], "full")


@pytest.mark.parametrize("header", ["Authorization", "authorization"])
def test_a_relay_key_opens_the_detail(api: StatusApi, header: str) -> None:
    """A program asks with its key."""
    api.log_in()
    assert api.ask("/api/health/detailed", headers={header: f"Bearer {KEY}"}).json["detail"] == "full"


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"cookies": ["__Host-kr-owner=someone"]},
        {"cookies": [f"kr-owner={SESSION}"]},
        {"cookies": [OWNER_COOKIE, "__Host-kr-owner=second"]},
        {"cookies": [OWNER_COOKIE + "x" * 600]},
        {"headers": {"authorization": f"Bearer {KEY}x"}},
        {"headers": {"authorization": f"Basic {KEY}"}},
        {"headers": {"authorization": "Bearer "}},
        {"headers": {"authorization": "Bearer " + "k" * 600}},
        {"headers": {"x-forwarded-for": "127.0.0.1", "host": "localhost"}},
        {"query": {"api_key": KEY}},
    ],
)
def test_a_stranger_sees_only_verdict_expiry_and_market(world: World, api: StatusApi, event: Any) -> None:
    """The shape is the same; whatever else is in it is null or empty."""
    api.log_in()
    world.beat(findings=[{"code": "disk_full", "detail": "secret place"}])
    body = api.ask("/api/health/detailed", **event).json
    fits("Health", body)
    full = api.owner("/api/health/detailed").json
    open_to_all = {"verdict", "status", "next_action", "token_expiry", "market", "zerodha", "backend", "version"}
    assert {key: body[key] for key in open_to_all} == {key: full[key] for key in open_to_all}
    assert body.keys() == full.keys()
    assert (body["findings"], body["timeline"], body["worker"].pop("clients")) == ([], [], [])
    assert not any(body["worker"].values())
    assert body["redis"] is body["auto_reload"] is body["auto_reload_generation"] is None
    assert body["features"] == {
        "market_feed": "active", "websocket": None, "ai_analysis": None, "news_detection": None
    }  # fmt: skip
    assert body["detail"] == "withheld"


def test_unreadable_relay_keys_open_nothing(world: World, api: StatusApi) -> None:
    """A broken document, or a store that does not answer, lets nobody in."""
    api.log_in()
    world.parameters.values["relay_keys"] = "{"
    assert api.ask("/api/health/detailed", headers={"authorization": f"Bearer {KEY}"}).json["detail"] == "withheld"


def test_503_means_that_somebody_must_act(world: World, api: StatusApi) -> None:
    """Healthy and idle are 200, all else 503; the token status is 200 whatever it says."""
    assert api.ask("/api/health/detailed").status == 200
    world.clock.advance(1.1)
    world.tell(TokenCheck(7, rejected_at=world.clock.now()))
    answer = api.ask("/api/health/detailed")
    assert (answer.status, answer.json["status"]) == (503, "needs_login")
    assert api.ask("/api/token-status").status == 200


def test_one_verdict_everywhere(world: World, api: StatusApi) -> None:
    """Stranger and owner read the same sentence and the same advice, on both paths."""
    api.log_in()
    world.clock.advance(120)
    stranger, owner = api.ask("/api/health/detailed").json, api.owner("/api/health/detailed").json
    assert stranger["verdict"] == owner["verdict"]
    assert stranger["next_action"] == owner["next_action"] == api.ask("/api/token-status").json["next_action"]
    assert owner["findings"][0]["code"] == "worker_silent"


def test_health_touches_nothing(world: World, api: StatusApi) -> None:
    """It lives as long as the function does."""
    world.board.broken = world.store.broken = world.parameters.broken = True
    calls = world.board.calls, world.store.calls, world.parameters.calls
    assert api.ask("/api/health").json == {"status": "ok", "version": __version__}
    assert (world.board.calls, world.store.calls, world.parameters.calls) == calls


@pytest.mark.parametrize("path", ["/api/token-status", "/api/health/detailed", "/api/market"])
@pytest.mark.parametrize("broken", [("board",), ("store",), ("parameters",), ("board", "store", "parameters")])
def test_whatever_does_not_answer_is_unknown_and_nothing_fails(
    world: World, api: StatusApi, path: str, broken: tuple[str, ...]
) -> None:
    """No answer of ours is a 500 because another service is in trouble, and none of them is green."""
    for name in broken:
        getattr(world, name).broken = True
    answer = api.ask(path)
    assert answer.status in (200, 503)
    if path == "/api/health/detailed":
        assert (answer.status, answer.json["status"]) == (503, "degraded")
    if path == "/api/token-status":
        assert answer.json["token_expiry"]["likely_valid"] is ("parameters" in broken and len(broken) == 1)


def test_nothing_older_than_five_seconds_is_told(world: World, api: StatusApi) -> None:
    """The token and the worker were read at most a second ago, the slow parameters at most five."""
    assert api.ask("/api/token-status").json["token_expiry"]["status"] == "VALID"
    world.tell(TokenRecord(7, source="logout"))
    world.clock.advance(1.1)
    assert api.ask("/api/token-status").json["token_expiry"]["status"] == "MISSING"
    world.parameters.secrets.clear()
    world.clock.advance(5.1)
    assert api.ask("/api/token-status").json["credentials"]["api_key_present"] is False


def test_a_flood_of_requests_reads_the_board_once_a_second(world: World, api: StatusApi) -> None:
    """Its read units are few, and the login needs them too; only a made-up session costs one more each time."""
    for _ in range(20):
        api.ask("/api/health/detailed")
        api.ask("/api/token-status")
        world.clock.advance(0.05)
    assert world.board.calls == 1
    world.clock.advance(0.1)
    api.ask("/api/token-status", cookies=["__Host-kr-owner=no-session-at-all"])
    assert world.board.calls == 2
    api.ask("/api/token-status", cookies=[f"__Host-kr-owner={'x' * 43}"])
    assert world.board.calls == 3


def test_what_did_not_answer_is_asked_again_after_a_second(world: World, api: StatusApi) -> None:
    """Not at each request of a flood, and not only when the process is a new one."""
    world.board.broken = True
    assert api.ask("/api/health/detailed").json["status"] == "degraded"
    world.board.broken = False
    world.clock.advance(1.1)
    assert api.ask("/api/health/detailed").json["status"] == "healthy"


def test_an_override_counts_and_is_shown_with_its_author(world: World, api: StatusApi) -> None:
    """A closure declared now closes the market in the next answer."""
    entry = {
        "date": "2026-11-27", "open": False, "name": "A declared closure", "kind": "ad_hoc",
        "author": "asha", "at": "2026-11-26T20:00:00+05:30",
    }  # fmt: skip
    world.parameters.values["market_overrides"] = json.dumps({"overrides": [entry]})
    body = api.ask("/api/market").json
    fits("MarketDay", body)
    assert (body["is_trading_day"], body["holiday"]) == (False, "A declared closure")
    assert body["overrides"][0]["author"] == "asha"
    world.parameters.values["market_overrides"] = "no document"
    world.clock.advance(6)
    api.log_in()
    codes = [finding["code"] for finding in api.owner("/api/health/detailed").json["findings"]]
    assert "market_overrides_broken" in codes
    assert api.ask("/api/market").json["overrides_problem"]


def test_the_market_of_any_day(api: StatusApi) -> None:
    """Phase now, next change, and the asked day's schedule, per segment."""
    body = api.ask("/api/market", query={"date": "2026-12-07"}).json
    fits("MarketDay", body)
    assert (body["date"], body["is_trading_day"]) == ("2026-12-07", True)
    live = {
        name: [slot["to"][11:16] for slot in segment["schedule"] if slot["status"] == "LIVE"]
        for name, segment in body["segments"].items()
    }
    assert live == {"cash": ["15:30"], "cash_cas": ["15:30"], "derivatives": ["15:45"]}
    assert body["segments"]["cash"]["status"] == "LIVE"
    beyond = api.ask("/api/market", query={"date": "2027-06-01"}).json
    fits("MarketDay", beyond)
    assert beyond["is_trading_day"] is None


@pytest.mark.parametrize("day", ["", "today", "2026-13-01", "20261207", "2026-W49-1", "1999-01-01", "9999-12-31"])
def test_a_day_that_is_none_is_a_bad_request(api: StatusApi, day: str) -> None:
    """One shape for every error."""
    answer = api.ask("/api/market", query={"date": day})
    assert (answer.status, answer.headers["Content-Type"]) == (400, PROBLEM)
    fits("Problem", answer.json)


def test_what_is_not_there_is_a_problem(api: StatusApi) -> None:
    """404 for a path, 405 with `Allow` for a method, in the one shape."""
    for path in ("/nope", "/api", "/api/token-status/", "/static/x/nope.css", "/static/x/../app.py"):
        answer = api.ask(path)
        assert (answer.status, answer.headers["Content-Type"]) == (404, PROBLEM), path
        fits("Problem", answer.json)
    for path, method in {**ROUTES, **LOGINS_ROUTES}.items():
        for wrong in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - {method}:
            answer = api.ask(path.translate({ord("{"): None, ord("}"): None}), wrong)
            assert (answer.status, answer.headers["Content-Type"]) == (405, PROBLEM), path
            assert answer.headers["Allow"].partition(",")[0] == method
            fits("Problem", answer.json)


def test_head_is_get_without_its_body(api: StatusApi) -> None:
    """What an uptime monitor asks; the login's function is never asked so."""
    assert [api.ask(path, "HEAD").status for path in ("/login", "/login/result/x", "/api/feed-ticket")] == [405] * 3
    head = api.ask("/api/health", "HEAD")
    assert (head.status, head.body, head.headers["Content-Type"]) == (200, "", "application/json")


def test_a_fault_of_ours_tells_nothing(api: StatusApi, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer in the one shape, without a trace of what went wrong."""

    def fail() -> None:
        raise RuntimeError("what only we may know")

    monkeypatch.setattr(world.clock, "now", fail)
    answer = api.ask("/api/token-status")
    assert (answer.status, answer.headers["Content-Type"]) == (500, PROBLEM)
    fits("Problem", answer.json)
    assert "only we" not in answer.body


def test_the_dashboard_may_reach_the_relay_and_nothing_else(api: StatusApi) -> None:
    """Only the page that needs it has the relay in its policy."""
    assert "connect-src 'self' wss://relay.example" in api.ask("/").headers["Content-Security-Policy"]
    assert "relay.example" not in api.ask("/docs").headers["Content-Security-Policy"]
