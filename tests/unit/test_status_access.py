"""Who gets a ticket for the relay, what others found, and a page that knows its own name."""

from collections.abc import Callable
from typing import Any

import pytest

from functions.web.request import origin_of
from kite_relay.domain.records import Notifications, TicketKey
from kite_relay.domain.relay_keys import check_ticket
from tests.fakes.canaries import TICKET_KEY
from tests.fakes.status_api import KEY, ORIGIN, OWNER_COOKIE, StatusApi, http_event
from tests.fakes.world import World

PROBLEM = "application/problem+json"


@pytest.fixture
def world() -> World:
    """Give a good trading morning."""
    world = World()
    world.live()
    return world


@pytest.fixture
def api(world: World) -> StatusApi:
    """Give the API over it."""
    return StatusApi(world)


def test_the_owners_page_gets_a_ticket(world: World, api: StatusApi) -> None:
    """Signed with the worker's key, good for a minute."""
    api.log_in()
    world.tell(TicketKey(TICKET_KEY, world.clock.now()))
    answer = api.owner("/api/feed-ticket", "POST", headers={"origin": ORIGIN})
    assert answer.status == 200
    assert answer.json["expires_at"] == "2026-11-27T10:01:00+05:30"
    assert answer.json["url"] == "wss://relay.example/"
    assert check_ticket(TICKET_KEY, answer.json["ticket"], world.clock.now()) == b"n" * 16


@pytest.mark.parametrize(
    ("origin", "cookies", "prepare", "status"),
    [
        (None, [OWNER_COOKIE], None, 403),
        ("https://evil.example", [OWNER_COOKIE], None, 403),
        ("null", [OWNER_COOKIE], None, 403),
        (f"{ORIGIN}.evil.example", [OWNER_COOKIE], None, 403),
        (ORIGIN.replace("https", "http"), [OWNER_COOKIE], None, 403),
        (ORIGIN, [], None, 401),
        (ORIGIN, ["__Host-kr-owner=someone"], None, 401),
        (ORIGIN, [OWNER_COOKIE], lambda world: world.board.items.pop(TicketKey.KEY), 503),
        (ORIGIN, [OWNER_COOKIE], lambda world: setattr(world.board, "broken", True), 503),
    ],
)
def test_nobody_else_gets_a_ticket(
    world: World,
    api: StatusApi,
    origin: str | None,
    cookies: list[str],
    prepare: Callable[[World], Any] | None,
    status: int,
) -> None:
    """Another site, a stranger, a session that ended, no worker: each is a problem of its own."""
    api.log_in()
    world.tell(TicketKey(TICKET_KEY, world.clock.now()))
    if prepare:
        prepare(world)
    headers = {"origin": origin} if origin else {}
    answer = api.ask("/api/feed-ticket", "POST", cookies=cookies, headers=headers)
    assert (answer.status, answer.headers["Content-Type"]) == (status, PROBLEM)
    assert answer.json["status"] == status
    assert "kt_" not in answer.body


def test_a_relay_key_gets_no_ticket(world: World, api: StatusApi) -> None:
    """A program connects with its key; a ticket is for the owner's page alone."""
    api.log_in()
    world.tell(TicketKey(TICKET_KEY, world.clock.now()))
    headers = {"origin": ORIGIN, "authorization": f"Bearer {KEY}"}
    assert api.ask("/api/feed-ticket", "POST", headers=headers).status == 401


@pytest.mark.parametrize(
    ("site", "origin", "status"),
    [("same-origin", None, 200), ("cross-site", ORIGIN, 403), ("same-site", ORIGIN, 403), ("none", ORIGIN, 403)],
)
def test_the_browsers_own_word_on_the_site_counts_first(
    world: World, api: StatusApi, site: str, origin: str | None, status: int
) -> None:
    """No page can forge Sec-Fetch-Site."""
    api.log_in()
    world.tell(TicketKey(TICKET_KEY, world.clock.now()))
    headers = {"sec-fetch-site": site} | ({"origin": origin} if origin else {})
    assert api.owner("/api/feed-ticket", "POST", headers=headers).status == status


def test_what_the_worker_and_the_reminder_found_is_passed_on(world: World, api: StatusApi) -> None:
    """In our words where we have some, in the worker's own otherwise; broken entries are left out."""
    api.log_in()
    since = "2026-11-27T09:30:00+05:30"
    world.beat(
        findings=[
            {"code": "relay_guessing", "since": since, "detail": "203.0.113.9 tried 10 keys"},
            {"code": "feed_mute", "since": since, "detail": "Kite delivers nothing"},
            {"code": "disk_full", "since": "never", "detail": ""},
            {"code": "No Code!"},
            {},
        ]
    )
    world.tell(Notifications(["telegram"], world.clock.now()))
    found = {finding["code"]: finding for finding in api.owner("/api/health/detailed").json["findings"]}
    assert found.keys() == {"relay_guessing", "feed_mute", "disk_full", "notify_failed"}
    assert found["relay_guessing"]["since"] == since
    assert found["feed_mute"]["title"] == "Kite delivers nothing"
    assert (found["disk_full"]["title"], found["disk_full"]["severity"]) == ("disk full", "warning")
    assert "telegram" in found["notify_failed"]["title"]


@pytest.mark.parametrize("junk", [None, 7, "text", [1, "x"], {"a": 1}, True])
def test_a_heartbeat_of_another_version_is_read_as_far_as_it_goes(world: World, api: StatusApi, junk: Any) -> None:
    """A field of the wrong type is no reason for a fault, nor for green."""
    api.log_in()
    beat = dict(world.board.items["worker"])
    for name in beat.keys() - {"heartbeat_at"}:
        world.board.items["worker"] = beat | {name: junk}
        world.clock.advance(1.1)
        assert api.owner("/api/health/detailed").status in (200, 503), name
    world.board.items["worker"] = dict.fromkeys(beat, junk)
    world.clock.advance(1.1)
    assert api.owner("/api/health/detailed").json["status"] == "down"


def test_behind_the_local_front_the_browsers_name_is_used() -> None:
    """An emulator on this machine has no name of its own; in AWS no header counts."""
    local = http_event("GET", "/api/token-status", headers={"x-forwarded-host": "localhost:4600", "host": "x"})
    local["requestContext"]["domainName"] = "abc.execute-api.localhost"
    assert origin_of(local) == "http://localhost:4600"
    local["headers"]["x-forwarded-host"] = "evil.example"
    assert origin_of(local) == "http://abc.execute-api.localhost"
    real = http_event("GET", "/", headers={"x-forwarded-host": "localhost:4600", "host": "localhost"})
    assert origin_of(real) == ORIGIN
