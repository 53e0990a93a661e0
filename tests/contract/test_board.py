"""The status board's contract: the fake, DynamoDB, and a SQLite file."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from kite_relay.adapters.aws import make_client
from kite_relay.adapters.dynamodb import PAUSE_SECONDS, TRIES, DynamoBoard
from kite_relay.adapters.sqlite_board import SqliteBoard
from kite_relay.domain.errors import StoreUnavailableError
from kite_relay.ports import StatusBoard
from tests.fakes import FakeClock, FakeStatusBoard
from tests.fakes.dynamodb import make_board

ITEM = {"text": "é", "whole": 2, "float": 2.0, "yes": True, "none": None, "list": [1, {"a": "b"}], "empty": ""}


@pytest.fixture
def clock() -> FakeClock:
    """A clock that a test moves."""
    return FakeClock()


@pytest.fixture(params=["fake", "dynamodb", "sqlite"])
def board(request: pytest.FixtureRequest, tmp_path: Path, unique: str, clock: FakeClock) -> StatusBoard:
    """Make an empty board of each kind."""
    if request.param == "fake":
        return FakeStatusBoard(clock)
    if request.param == "sqlite":
        return SqliteBoard(tmp_path / "board", clock)
    request.getfixturevalue("aws")
    client = make_client("dynamodb")
    make_board(client, unique)
    return DynamoBoard(client, unique, clock)


def test_an_item_comes_back_whole_and_of_its_types(board: StatusBoard) -> None:
    """Whole numbers stay whole and floats stay floats; null and empty texts survive."""
    board.put("a", ITEM)
    found = board.get(["a", "absent"])
    assert found == {"a": ITEM}
    assert [type(value) for value in found["a"].values()] == [type(value) for value in ITEM.values()]


def test_put_replaces_whole(board: StatusBoard) -> None:
    """Nothing of the old item is left, its end of life neither."""
    board.put("a", {"x": 1})
    board.put("a", {"y": 2})
    assert board.get(["a"]) == {"a": {"y": 2}}


def test_many_keys_and_the_same_twice(board: StatusBoard) -> None:
    """One call reads more than DynamoDB's batch, and does not mind repetition."""
    keys = [f"key-{n}" for n in range(120)]
    for key in keys:
        board.put(key, {"k": key})
    assert board.get([*keys, *keys]) == {key: {"k": key} for key in keys}
    assert board.get([]) == {}


def test_what_is_outlived_is_gone_at_once(board: StatusBoard, clock: FakeClock) -> None:
    """DynamoDB deletes up to days late; readers must not see that."""
    board.put("a", {"x": 1}, expires_at=clock.now() + timedelta(seconds=60))
    clock.advance(59)
    assert board.get(["a"]) == {"a": {"x": 1}}
    clock.advance(2)
    assert board.get(["a"]) == {}


def test_put_new_writes_once(board: StatusBoard, clock: FakeClock) -> None:
    """The second is told no; one that is outlived or deleted does not count."""
    expiry = clock.now() + timedelta(seconds=60)
    assert board.put_new("a", {"n": 1}, expires_at=expiry)
    assert not board.put_new("a", {"n": 2}, expires_at=expiry)
    assert board.get(["a"]) == {"a": {"n": 1}}
    clock.advance(61)
    assert board.put_new("a", {"n": 3})
    assert board.get(["a"]) == {"a": {"n": 3}}
    board.delete("a")
    assert board.put_new("a", {"n": 4})


@pytest.mark.parametrize("board", ["dynamodb"], indirect=True)
def test_a_claim_that_was_tried_twice_is_still_ours(board: DynamoBoard) -> None:
    """The answer to the first try was lost, the second finds the item that the first wrote."""
    put_item = board._client.put_item

    def twice(**request: Any) -> Any:
        put_item(**request)
        return put_item(**request)

    with mock.patch.object(board._client, "put_item", twice):
        assert board.put_new("a", {"n": 1})
        assert not board.put_new("a", {"n": 2})
    assert board.get(["a"]) == {"a": {"n": 1}}


@pytest.mark.parametrize("board", ["dynamodb"], indirect=True)
def test_what_a_batch_left_over_is_asked_for_again(board: DynamoBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table at its limit answers a part of the keys, the first here; a table that gives nothing more is trouble."""
    pauses = list[float]()
    monkeypatch.setattr("time.sleep", pauses.append)
    for key in ("a", "b"):
        board.put(key, {"k": key})
    read: Any = board._client.batch_get_item

    def one_at_a_time(**request: Any) -> Any:
        ((table, asked),) = request["RequestItems"].items()
        first, *left = asked["Keys"]
        answer = read(RequestItems={table: {**asked, "Keys": [first]}})
        return {**answer, "UnprocessedKeys": {table: {**asked, "Keys": left}} if left else {}}

    with mock.patch.object(board._client, "batch_get_item", one_at_a_time):
        assert board.get(["a", "b"]) == {"a": {"k": "a"}, "b": {"k": "b"}}
        assert len(pauses) == 1
        with pytest.raises(StoreUnavailableError, match="throttled"):
            board.get([str(n) for n in range(TRIES + 1)])
    assert all(0 <= pause <= 2 * PAUSE_SECONDS for pause in pauses)


def test_one_of_many_wins(board: StatusBoard) -> None:
    """Put_new is what makes a login count once: no race may be won twice."""
    barrier = threading.Barrier(8)

    def claim(number: int) -> bool:
        barrier.wait()
        return board.put_new("a", {"n": number})

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(claim, range(8)))
    assert won.count(True) == 1
    assert board.get(["a"])["a"] == {"n": won.index(True)}


def test_append_makes_and_grows_a_list(board: StatusBoard, clock: FakeClock) -> None:
    """The timeline grows in order, and its end of life may move."""
    board.append("day", {"what": "login"}, expires_at=clock.now() + timedelta(seconds=60))
    board.append("day", {"what": "stored", "generation": 2}, expires_at=clock.now() + timedelta(seconds=120))
    clock.advance(90)
    assert board.get(["day"]) == {"day": {"entries": [{"what": "login"}, {"what": "stored", "generation": 2}]}}


def test_append_keeps_what_stands_there(board: StatusBoard) -> None:
    """An item that was put may grow a list."""
    board.put("a", {"x": 1, "entries": [{"n": 0}]})
    board.append("a", {"n": 1})
    assert board.get(["a"]) == {"a": {"x": 1, "entries": [{"n": 0}, {"n": 1}]}}


def test_append_loses_nothing_to_a_race(board: StatusBoard) -> None:
    """Worker and login write the same day's timeline."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: board.append("day", {"n": n}), range(24)))
    assert sorted(entry["n"] for entry in board.get(["day"])["day"]["entries"]) == list(range(24))


def test_delete_is_calm(board: StatusBoard) -> None:
    """An absent item is no error."""
    board.put("a", {"x": 1})
    board.delete("a")
    board.delete("a")
    assert board.get(["a"]) == {}
