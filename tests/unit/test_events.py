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


@pytest.mark.parametrize("generation", [1, 2**31])
def test_the_first_generation_counts_like_any_other(generation: int) -> None:
    """The store begins at 1."""
    assert parse_announcement(envelope(EVENT.to_detail() | {"generation": generation})).generation == generation  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"generation": 0}, "'generation' is no positive whole number"),
        ({"generation": "7"}, "'generation' is no positive whole number"),
        ({"generation": True}, "'generation' is no positive whole number"),
        ({"parameter_name": ""}, "'parameter_name' is no text"),
        ({"user_id": None}, "'user_id' is no text"),
        ({"source": 5}, "'source' is no text"),
        ({"minted_at": None}, "'minted_at' is no text"),
        ({"minted_at": "2026-11-23T08:47:00"}, "'minted_at' is no ISO 8601 instant with an offset"),
        ({"minted_at": "yesterday"}, "'minted_at' is no ISO 8601 instant with an offset"),
    ],
)
def test_a_broken_announcement_is_named(change: dict[str, object], words: str) -> None:
    """Every broken field is refused by its name."""
    with pytest.raises(MalformedError, match=f"^TokenRotated: {words}$"):
        parse_announcement(envelope(EVENT.to_detail() | change))


@pytest.mark.parametrize("detail", [None, [], {}, {"name": ""}, {"name": 5}])
def test_an_event_without_a_place_to_look_is_named(detail: object) -> None:
    """SSM's event is of use for the parameter's name only."""
    with pytest.raises(MalformedError, match=r"^Parameter Store Change: 'name' is no text$"):
        parse_announcement(envelope(detail, "aws.ssm", "Parameter Store Change"))


NEITHER = "the announcement is neither TokenRotated nor a Parameter Store Change"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "the announcement is no JSON"),
        ("{", "the announcement is no JSON"),
        ("[" * 100_000, "the announcement is no JSON"),
        ("[]", "the announcement is no object"),
        ("null", "the announcement is no object"),
        ("{}", NEITHER),
        ('{"source": "kite-relay"}', NEITHER),
        (envelope(EVENT.to_detail(), "aws.ssm"), NEITHER),
        (envelope(EVENT.to_detail(), kind="Parameter Store Change"), NEITHER),
        (envelope([]), "TokenRotated: the detail is no object"),
        (envelope(None), "TokenRotated: the detail is no object"),
    ],
    ids=lambda value: value[:40],
)
def test_anything_else_is_malformed(body: str, words: str) -> None:
    """No body makes the parser fail in another way."""
    with pytest.raises(MalformedError, match=f"^{words}$"):
        parse_announcement(body)
