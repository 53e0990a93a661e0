"""Whatever is asked, by whomever, and whatever is broken: the strict headers, and no word that is not for strangers."""

from collections.abc import Callable
from itertools import product
from typing import Any
from urllib.parse import urlsplit

import pytest

from functions.login_callback import app as login_app
from functions.status.app import answer as status_answer
from functions.status.openapi import document
from functions.web import page
from kite_relay.domain.errors import StoreUnavailableError
from kite_relay.domain.records import TicketKey
from tests.fakes import FakeParameters
from tests.fakes.api_gateway import DOMAIN, Answer, Browser
from tests.fakes.canaries import SESSION, TICKET_KEY
from tests.fakes.login_world import OWNER, make_world
from tests.fakes.status_api import KEY, StatusApi
from tests.fakes.world import World

ROUTES = [
    (method.upper(), path.replace("{attempt_id}", "A" * 22), "login" in operation["tags"])
    for path, methods in document()["paths"].items()
    for method, operation in methods.items()
]
BESIDE = [
    "/static/x/y",
    "/static/%2e%2e/app.py",
    "/nothing",
    "/api/nothing",
    "/login/",
    "/login/result/",
    "//evil.example",
]
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"]
AWS_WORDS = "arn:aws:iam::123456789012:role/secret-role is not authorized"
SPOOFED: list[dict[str, str]] = [
    {"host": "evil.example"},
    {"x-forwarded-host": "evil.example", "x-forwarded-proto": "http", "x-forwarded-port": "1"},
    {"x-forwarded-host": "localhost"},
    {"forwarded": "for=127.0.0.1;host=evil.example;proto=http"},
    {"x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1", "true-client-ip": "127.0.0.1"},
    {"x-original-url": "/api/feed-ticket", "x-rewrite-url": "/logout"},
    {"x-http-method-override": "DELETE", "x-method-override": "POST"},
    {"user-agent": "GoogleHC/1.0", "x-amzn-oidc-identity": "owner", "x-forwarded-user": "AB1234"},
]

Ask = Callable[..., Answer]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Give both functions, wired to a good morning; `broken` breaks all that they rest on, in AWS's own words."""
    world, login = World(), make_world()
    world.live()
    world.tell(TicketKey(TICKET_KEY, world.clock.now()))
    api = StatusApi(world)
    api.log_in()
    monkeypatch.setattr(login_app, "deployable", lambda: login.deployable)

    def broken(*_: Any, **__: Any) -> None:
        raise StoreUnavailableError(AWS_WORDS)

    def asking(
        method: str, path: str, headers: dict[str, str], cookies: dict[str, str], *, fail: bool = False
    ) -> Answer:
        with monkeypatch.context() as patch:
            if fail:
                for kind in (type(world.board), type(world.parameters), type(world.store)):
                    patch.setattr(kind, "touch", broken)
                patch.setattr(type(login.board), "_called", broken)
                patch.setattr(FakeParameters, "_called", broken)
            ours = login_app.handler if path.startswith(("/login", "/callback", "/logout")) else None
            handler = ours or (lambda event, context: status_answer(lambda: api.app, event, context))
            return Browser(handler, dict(cookies)).request(method, path, headers)

    return asking


@pytest.mark.promise(4)
def test_every_answer_carries_the_whole_header_set(ask: Ask, measured: Callable[[str, object], None]) -> None:
    """Every route and what is beside it, by every method, to a stranger and to the owner, on good days and bad ones."""
    paths = sorted({path for _, path, _ in ROUTES} | set(BESIDE))
    strict, bare, count = page.security_headers(), [], 0
    for method, path, who, fail in product(METHODS, paths, ({}, {OWNER: SESSION}), (False, True)):
        headers = dict(ask(method, path, {"origin": f"https://{DOMAIN}"}, who, fail=fail).headers)
        dashboard = headers.get("Content-Security-Policy", "").replace(" wss://relay.example", "")
        whole = strict.items() <= {**headers, "Content-Security-Policy": dashboard}.items()
        if not whole or any(name.lower().startswith("access-control-") for name in headers):
            bare.append((method, path))
        count += 1
    for name in page.FILES:
        headers = dict(ask("GET", f"{page.ROOT}/{name}", {}, {}).headers)
        if not {**strict, "Cache-Control": page.IMMUTABLE}.items() <= headers.items():
            bare.append(("GET", name))
        count += 1
    measured("answers", count)
    measured("answers without the whole header set", len(bare))
    assert bare == []


@pytest.mark.parametrize("spoofed", SPOOFED, ids=lambda headers: next(iter(headers)))
def test_no_header_that_a_client_can_forge_changes_an_answer(ask: Ask, spoofed: dict[str, str]) -> None:
    """Neither who asks, nor where we are, nor what is asked: the answer is the same to the letter."""
    for method, path, _ in ROUTES:
        plain, forged = ask(method, path, {}, {}), ask(method, path, spoofed, {})
        places = [urlsplit(answer.headers.get("Location", "")) for answer in (plain, forged)]
        assert places[0][:3] == places[1][:3]
        assert (plain.status, plain.body) == (forged.status, forged.body), path
        assert {**plain.headers, "Location": ""} == {**forged.headers, "Location": ""}, path


def test_a_stranger_hears_no_errors_own_words(ask: Ask) -> None:
    """AWS's sentences name the account, the roles and the tables."""
    strange = [{}, {OWNER: "not-" + SESSION[8:]}]
    said = [
        ask(method, path, {"origin": f"https://{DOMAIN}", "authorization": f"Bearer {KEY}"}, who, fail=True)
        for (method, path, _), who in product(ROUTES, strange)
    ]
    assert any(answer.status >= 500 for answer in said)
    assert not [
        answer for answer in said if "arn:aws" in f"{answer.body}{answer.headers}" or "secret-role" in answer.body
    ]
