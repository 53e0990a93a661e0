"""What the board is told of a token: the newest login's word, also after the parameter was deleted and made anew."""

from datetime import UTC, datetime, timedelta

import pytest

from kite_relay.domain.records import TokenRecord, in_order, timeline_key
from kite_relay.usecases.publish_token import publish_token
from tests.fakes.login_world import World, make_world


@pytest.fixture
def world() -> World:
    """Stand behind a login."""
    return make_world()


def publish(world: World, user_id: str) -> str:
    """Publish a token; returns whose login the board tells of."""
    publish_token(world.deployable, "t" * 32, user_id=user_id, minted_at=world.clock.now(), source="cli")
    record = TokenRecord.from_item(world.board.get([TokenRecord.KEY]).get(TokenRecord.KEY))
    assert record is not None
    return record.user_id


def test_a_login_that_was_overtaken_leaves_the_newer_ones_word(world: World) -> None:
    """Two at once: the one that stored first tells the board last."""
    publish(world, "AB0001")
    publish(world, "AB0002")
    world.tokens.versions.clear()  # the next write gets generation 1, as an overtaken one has a lower number
    assert publish(world, "AB0003") == "AB0002"


def test_a_store_that_counts_anew_is_believed(world: World) -> None:
    """Deleted and made anew, SSM's versions begin at 1: a record of long ago is no newer for its number."""
    publish(world, "AB0001")
    publish(world, "AB0002")
    world.tokens.versions.clear()
    world.clock.advance(61)
    assert publish(world, "AB0003") == "AB0003"


@pytest.mark.parametrize("ahead", [0.0, -5.0])
def test_the_timeline_is_in_the_order_of_causes(world: World, monkeypatch: pytest.MonkeyPatch, ahead: float) -> None:
    """The worker hears of it, and writes so, before the login has written anything; its clock may be late."""
    day = timeline_key(world.clock.now().date())
    world.board.append(day, {"at": "?", "what": "lost"})

    def write(value: str) -> int:
        world.clock.advance(1)
        return real(value)

    def hear(_event: object) -> None:
        at = world.clock.now() + timedelta(seconds=ahead)
        for what in ("received", "dialled"):
            world.board.append(day, {"at": at.isoformat(), "what": what, "generation": 1})
        world.clock.advance(3)

    real = world.tokens.write
    monkeypatch.setattr(world.tokens, "write", write)
    monkeypatch.setattr(world.bus, "announce", hear)
    publish(world, "AB1234")
    told = in_order(world.board.get([day])[day]["entries"])
    assert [entry["what"] for entry in told] == ["lost", "cli", "stored", "announced", "received", "dialled"]
    assert [entry["at"][17:19] for entry in told[1:4]] == ["00", "01", "01"], "when it was written, not when it was"


def test_what_became_of_a_token_follows_it_whatever_the_workers_clock_said() -> None:
    """Only that: what led to it, and what became of another, stands at its own time."""
    told = [("dialled", 2, 59), ("stored", 2, 60), ("lost", 1, 59), ("login", 2, 58), ("dialled", 1, 10)]
    at = datetime(2026, 11, 24, 4, tzinfo=UTC)
    entries = [
        {"what": what, "generation": number, "at": (at + timedelta(seconds=second)).isoformat()}
        for what, number, second in told
    ]
    ordered = [(entry["what"], entry["generation"]) for entry in in_order(entries)]
    assert ordered == [("dialled", 1), ("login", 2), ("lost", 1), ("stored", 2), ("dialled", 2)]


def test_a_field_that_is_broken_or_missing_takes_no_other_with_it() -> None:
    """Whoever wrote the record may be of another version."""
    stored = datetime(2026, 11, 24, 4, tzinfo=UTC)
    record = TokenRecord.from_item({"generation": 7, "minted_at": "today", "stored_at": stored.isoformat()})
    assert record == TokenRecord(7, "", None, stored)
