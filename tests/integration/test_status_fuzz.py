"""The published OpenAPI document is valid and true: the real handler, over HTTP, fuzzed by schemathesis."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import validate
from schemathesis import GenerationMode

from functions.status.app import answer
from functions.status.openapi import document
from kite_relay.domain.records import TicketKey
from tests.conftest import SOAK
from tests.fakes.canaries import TICKET_KEY
from tests.fakes.gateway import gateway
from tests.fakes.status_api import KEY, OWNER_COOKIE, StatusApi
from tests.fakes.world import World

EXAMPLES = 400 if SOAK else 25
OURS = [
    (method.upper(), path)
    for path, methods in document()["paths"].items()
    for method, operation in methods.items()
    if "status" in operation["tags"]
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Host the real handler over a good trading morning."""
    world = World()
    world.live()
    world.tell(TicketKey(TICKET_KEY, world.clock.now()))
    api = StatusApi(world)
    api.log_in()
    with gateway(lambda event, context: answer(lambda: api.app, event, context)) as address:
        yield address


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


def fuzz(address: str, method: str, path: str, mode: GenerationMode, headers: Mapping[str, str]) -> None:
    """Ask with everything that schemathesis thinks of, and check status, type, headers and body of every answer."""
    operation = schemathesis.openapi.from_url(f"{address}/openapi.json")[path][method]
    asked = []

    @given(operation.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def ask(case: Any) -> None:
        asked.append(case)
        case.call_and_validate(base_url=address, headers=headers)

    ask()
    assert asked


@pytest.mark.parametrize("visitor", ["stranger", "owner", "program"])
@pytest.mark.parametrize(("method", "path"), OURS)
def test_every_answer_is_what_the_document_promises(address: str, method: str, path: str, visitor: str) -> None:
    """To everybody, for every path."""
    fuzz(address, method, path, GenerationMode.POSITIVE, visitors(address)[visitor])


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/market"), ("POST", "/api/feed-ticket")])
def test_a_bad_request_is_refused_as_the_document_promises(address: str, method: str, path: str) -> None:
    """Where something can be wrong with a request at all."""
    fuzz(address, method, path, GenerationMode.NEGATIVE, {})
