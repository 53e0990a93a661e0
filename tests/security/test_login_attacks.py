"""Forged states, and payloads in every parameter of the login."""

import random
import re
import string
from collections.abc import Callable
from itertools import product
from urllib.parse import quote, urlsplit

import pytest

from functions.login_callback import app
from functions.web import page
from kite_relay.domain import login
from kite_relay.domain.login import Answer, Outcome
from kite_relay.usecases.complete_login import complete_login
from tests.fakes.canaries import API_SECRET, canary
from tests.fakes.login_world import World, make_world

LETTERS = string.ascii_letters + string.digits + "-_."
STATE_KEY = login.state_key(API_SECRET)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Make a fresh world and put it behind the function."""
    found = make_world()
    monkeypatch.setattr(app, "deployable", lambda: found.deployable)
    return found


def altered(state: str, source: random.Random) -> str:
    """Change one letter."""
    place = source.randrange(len(state))
    return state[:place] + source.choice(LETTERS.replace(state[place], "")) + state[place + 1 :]


def forgeries(world: World, source: random.Random) -> list[tuple[str, dict[str, str]]]:
    """Make one state of every kind that must not count, with the cookies that come along."""
    now = world.clock.now()
    ours, other = (login.issue(STATE_KEY, now, source.randbytes(login.ENTROPY_BYTES)) for _ in range(2))
    cookie, both = {ours.attempt_id: ours.binding}, {ours.attempt_id: ours.binding, other.attempt_id: other.binding}
    version, attempt_id, issued_at, mac = ours.state.split(".")
    foreign = login.issue(source.randbytes(32), now, ours.attempt_id.encode() + source.randbytes(26))
    return [
        (altered(ours.state, source), both),
        (altered(ours.state[::-1], source), cookie),
        (ours.state[: source.randrange(len(ours.state))], cookie),
        (ours.state + source.choice(LETTERS), cookie),
        (ours.state, {}),
        (ours.state, {ours.attempt_id: other.binding}),
        (ours.state, {ours.attempt_id: altered(ours.binding, source)}),
        (f"{version}.{attempt_id}.{int(issued_at) + source.randrange(1, 10**6)}.{mac}", cookie),
        (f"{version}.{other.attempt_id}.{issued_at}.{mac}", both),
        (foreign.state, {foreign.attempt_id: foreign.binding}),
    ]


@pytest.mark.promise(1)
def test_no_forged_state_is_accepted(world: World, measured: Callable[[str, object], None]) -> None:
    """Of 10,000, none leads to an exchange, a claim or a write."""
    source, accepted, count = random.Random(1), 0, 0  # noqa: S311 - a reproducible attacker
    for _ in range(1000):
        for state, bindings in forgeries(world, source):
            answer = Answer("login", "success", canary("RequestToken"), state)
            done = complete_login(world.deployable, answer, bindings)
            accepted += done.attempt_id is not None
            count += 1
    assert (count, accepted, world.kite.exchanges) == (10_000, 0, 0)
    assert world.untouched
    assert not world.board.items
    measured("forged states", count)
    measured("accepted", accepted)
    measured("exchanges", world.kite.exchanges)


@pytest.mark.promise(1)
def test_a_true_state_is_accepted_until_it_is_old(world: World) -> None:
    """The test above would pass if nothing ever counted."""
    attempt = login.issue(STATE_KEY, world.clock.now(), bytes(range(login.ENTROPY_BYTES)))
    cookie = {attempt.attempt_id: attempt.binding}
    world.clock.advance(600)
    assert login.check(STATE_KEY, world.clock.now(), attempt.state, cookie) == attempt.attempt_id
    world.clock.advance(1)
    assert login.check(STATE_KEY, world.clock.now(), attempt.state, cookie) is login.Refusal.EXPIRED


SEEDS = [
    "//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>", "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'", "${7*7}", "{{7*7}}", "%0d%0aSet-Cookie: a=b", "\r\nLocation: https://evil.example",
    "../../../etc/passwd", "expired/../../evil", "announced", "?told=announced.x", "\u202eevil", "\x00", "é",
    "a" * 3000,
    "</title><script>", "<svg/onload=alert(1)>", "' OR 1=1 --", "#@evil.example", "@evil.example", ".evil.example",
    "%2f%2fevil.example", "/%09/evil.example", "http:evil.example", "///evil.example", "////evil.example/%2e%2e",
]  # fmt: skip
WRAPS = ["{}", "/{}", "x{}", "{}x"]
TARGETS = [
    "/callback?state={}",
    "/callback?action=login&status={}",
    "/callback?action={}&status=success&request_token=abcdefgh12345678",
    "/callback?action=login&status=success&request_token={}&state={}",
    "/login/result/{}",
    "/login?next={}",
]


@pytest.mark.promise(4)
def test_no_payload_escapes(world: World, measured: Callable[[str, object], None]) -> None:
    """No redirect leaves us, no payload is markup, every answer carries the headers."""
    count = escapes = bare = 0
    for seed, wrap, target in product(SEEDS, WRAPS, TARGETS):
        payload = wrap.format(seed)
        answer = world.browser.get(target.replace("{}", quote(payload, safe="")))
        location = urlsplit(answer.headers.get("Location", "/"))
        away = bool(location.netloc) and location.netloc != "kite.zerodha.com"
        markup = "<script>alert" in answer.body or "onerror=alert" in answer.body or "onload=alert" in answer.body
        split = any(re.search(r"[\r\n]", value) for value in (*answer.headers.values(), *answer.cookies))
        escapes += away or markup or split or "evil.example" in answer.headers.get("Location", "")
        bare += not page.security_headers().items() <= dict(answer.headers).items()
        count += 1
    assert count >= 500
    assert (escapes, bare) == (0, 0)
    assert world.kite.exchanges == 0
    measured("payloads", count)
    measured("escapes", escapes)


@pytest.mark.promise(1)
def test_an_outcome_in_the_url_cannot_be_made_up() -> None:
    """Only our own signature, for this very attempt, counts."""
    sealed = login.seal_outcome(STATE_KEY, "a" * 22, Outcome.ANNOUNCED)
    assert login.open_outcome(STATE_KEY, "a" * 22, sealed) is Outcome.ANNOUNCED
    assert login.open_outcome(STATE_KEY, "b" * 22, sealed) is None
    assert login.open_outcome(b"other", "a" * 22, sealed) is None
    assert login.open_outcome(STATE_KEY, "a" * 22, "announced.é") is None
