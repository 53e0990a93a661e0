"""The published OpenAPI document is valid and true: the real handlers, over HTTP, fuzzed by schemathesis."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import validate
from schemathesis import GenerationMode

from functions.login_callback import app
from functions.status.app import answer
from functions.status.openapi import document
from kite_relay.domain.records import TicketKey
from kite_relay.usecases.owner_session import open_session
from tests.conftest import SOAK
from tests.fakes.canaries import SESSION, TICKET_KEY, access_token
from tests.fakes.gateway import gateway
from tests.fakes.login_world import make_world
from tests.fakes.status_api import KEY, OWNER_COOKIE, StatusApi
from tests.fakes.world import World

EXAMPLES = 400 if SOAK else 25
ROUTES = [
    (method.upper(), path, operation["tags"][0])
    for path, methods in document()["paths"].items()
    for method, operation in methods.items()
    if operation["tags"][0] in ("login", "status")
]


@pytest.fixture(scope="module")
def addresses() -> Iterator[Mapping[str, str]]:
    """Host both real handlers over a good trading morning; gives their addresses by the document's tags."""
    world, login = World(), make_world()
    world.live()
    world.tell(TicketKey(TICKET_KEY, world.clock.now()))
    api = StatusApi(world)
    api.log_in()
    login.tokens.write(access_token())
    open_session(login.deployable, SESSION, "AB1234")
    with (
        pytest.MonkeyPatch.context() as patch,
        gateway(lambda event, context: answer(lambda: api.app, event, context)) as status_address,
        gateway(app.handler) as login_address,
    ):
        patch.setattr(app, "deployable", lambda: login.deployable)
        yield {"status": status_address, "login": login_address}


def visitors(address: str) -> Mapping[str, Mapping[str, str]]:
    """Name who asks, by what their requests carry."""
    return {
        "stranger": {},
        "owner": {"Cookie": OWNER_COOKIE, "Origin": address},
        "program": {"Authorization": f"Bearer {KEY}"},
    }


def test_the_document_is_valid() -> None:
    """By OpenAPI 3.1's own rules."""
    validate(document())


def fuzz(addresses: Mapping[str, str], route: tuple[str, str, str], mode: GenerationMode, visitor: str) -> None:
    """Ask with everything that schemathesis thinks of, and check status, type, headers and body of every answer."""
    method, path, tag = route
    address = addresses[tag]
    operation = schemathesis.openapi.from_url(f"{addresses['status']}/openapi.json")[path][method]
    asked = []

    @given(operation.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def ask(case: Any) -> None:
        asked.append(case)
        case.call_and_validate(base_url=address, headers=visitors(address)[visitor], allow_redirects=False)

    ask()
    assert asked


@pytest.mark.parametrize("visitor", ["stranger", "owner", "program"])
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: " ".join(route[:2]))
def test_every_answer_is_what_the_document_promises(
    addresses: Mapping[str, str], route: tuple[str, str, str], visitor: str
) -> None:
    """To everybody, for every path of both functions."""
    fuzz(addresses, route, GenerationMode.POSITIVE, visitor)


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route[1] in ("/api/market", "/api/feed-ticket", "/callback")], ids=str
)
def test_a_bad_request_is_refused_as_the_document_promises(
    addresses: Mapping[str, str], route: tuple[str, str, str]
) -> None:
    """Where something can be wrong with a request at all."""
    fuzz(addresses, route, GenerationMode.NEGATIVE, "stranger")
