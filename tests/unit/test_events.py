"""The announcement: what the login writes, the inbox reads; anything else is one named rejection."""

import json
from datetime import UTC, datetime

import pytest

from kite_relay.domain.errors import MalformedError
from kite_relay.domain.events import StoreChanged, TokenRotated, parse_announcement

EVENT = TokenRotated(7, "/kite-relay/access_token", "AB1234", datetime(2026, 11, 23, 3, 17, tzinfo=UTC), "login")


def envelope(detail: object, source: str = "kite-relay", kind: str = "TokenRotated") -> str:
    """Wrap a detail as EventBridge delivers it."""
    return json.dumps({"version": "0", "source": source, "detail-type": kind, "detail": detail})


def test_an_announcement_survives_the_wire() -> None:
    """What goes in comes out."""
    assert parse_announcement(envelope(EVENT.to_detail())) == EVENT


def test_the_stores_own_event_says_only_where_to_look() -> None:
    """SSM's event names the parameter and no version."""
    body = envelope({"name": "/kite-relay/access_token", "operation": "Update"}, "aws.ssm", "Parameter Store Change")
    assert parse_announcement(body) == StoreChanged("/kite-relay/access_token")


@pytest.mark.parametrize(
    "change",
    [
        {"generation": 0},
        {"generation": "7"},
        {"generation": True},
        {"parameter_name": ""},
        {"user_id": None},
        {"minted_at": "2026-11-23T08:47:00"},
        {"minted_at": "yesterday"},
    ],
)
def test_a_broken_announcement_is_named(change: dict[str, object]) -> None:
    """Every broken field is refused by its name."""
    with pytest.raises(MalformedError, match=next(iter(change))):
        parse_announcement(envelope(EVENT.to_detail() | change))


@pytest.mark.parametrize("detail", [None, [], {}, {"name": ""}, {"name": 5}])
def test_an_event_without_a_place_to_look_is_named(detail: object) -> None:
    """SSM's event is of use for the parameter's name only."""
    with pytest.raises(MalformedError, match="Parameter Store Change: 'name'"):
        parse_announcement(envelope(detail, "aws.ssm", "Parameter Store Change"))


@pytest.mark.parametrize(
    "body",
    [
        "", "{", "[]", "null", "{}", '{"source": "kite-relay"}', "[" * 100_000,
        envelope([]), envelope(None), envelope(EVENT.to_detail(), "aws.ssm"),
        envelope(EVENT.to_detail(), kind="Parameter Store Change"),
    ],
)  # fmt: skip
def test_anything_else_is_malformed(body: str) -> None:
    """No body makes the parser fail in another way."""
    with pytest.raises(MalformedError):
        parse_announcement(body)
