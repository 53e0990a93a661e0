"""`kite-relay rotate`: the old key ends only when the worker lives on without it."""

import json
import stat
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from kite_relay.domain.errors import ConfigurationError, StoreUnavailableError
from kite_relay.domain.records import Heartbeat
from kite_relay.ports import Item
from tests.fakes.stores import FakeStatusBoard
from tools.cli.rotate import Patience, Rotation, to_file

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

USER = "worker"


@pytest.fixture
def iam(monkeypatch: pytest.MonkeyPatch) -> Iterator["IAMClient"]:
    """An account with the worker's user in it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        client = boto3.client("iam", region_name="ap-south-1")
        client.create_user(UserName=USER)
        yield client


class Worker:
    """A worker that reports while it has a key, seen through the board; its time passes when somebody waits."""

    def __init__(self, iam: "IAMClient") -> None:
        self.iam = iam
        self.board = FakeStatusBoard()
        self.holds = ""
        self.delivered = ""
        self.reads = True

    def deliver(self, text: str) -> None:
        """Take the key file."""
        self.delivered = json.loads(text)["AccessKeyId"]

    def sleep(self, seconds: float) -> None:
        """Pass time: after minutes the new key is read; every second a heartbeat, if the key in use is active."""
        if self.reads and seconds > 60:
            self.holds = self.delivered
        if keys(self.iam).get(self.holds) == "Active":
            self.board.put(Heartbeat.KEY, Heartbeat(heartbeat_at=datetime.now(UTC)).to_item())


def keys(iam: "IAMClient") -> dict[str, str]:
    """Give the user's keys and whether they work."""
    return {one["AccessKeyId"]: one["Status"] for one in iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]}


def rotation(worker: Worker, said: list[str]) -> Rotation:
    """Make a rotation around that worker."""
    return Rotation(worker.iam, USER, worker.board, worker.deliver, said.append, Patience(sleep=worker.sleep))


def test_the_first_key_is_made_and_delivered(iam: "IAMClient") -> None:
    """Nothing is waited for: there is no old one."""
    worker, said = Worker(iam), list[str]()
    made = rotation(worker, said).run()
    assert keys(iam) == {made: "Active"}
    assert worker.delivered == made


def test_the_old_key_ends_when_the_worker_lives_without_it(iam: "IAMClient") -> None:
    """In the end there is one key, the new one; no secret was said."""
    worker, said = Worker(iam), list[str]()
    worker.holds = old = rotation(worker, said).run()
    new = rotation(worker, said).run()
    assert new != old
    assert keys(iam) == {new: "Active"}
    assert "Secret" not in " ".join(said)


def test_a_worker_that_falls_silent_gets_its_old_key_back(iam: "IAMClient") -> None:
    """The new key did not arrive: the old one works again, and the operator is told."""
    worker = Worker(iam)
    worker.holds = old = rotation(worker, []).run()
    worker.reads = False
    with pytest.raises(StoreUnavailableError, match="works again"):
        rotation(worker, []).run()
    assert keys(iam)[old] == "Active"


@pytest.mark.parametrize("trouble", [StoreUnavailableError("the board does not answer"), KeyboardInterrupt()])
def test_whatever_breaks_off_the_waiting_the_old_key_works_again(iam: "IAMClient", trouble: BaseException) -> None:
    """AWS in trouble, or Ctrl-C: a worker that has only the old key is not left without one."""
    worker = Worker(iam)
    worker.holds = old = rotation(worker, []).run()

    def broken(keys: Sequence[str]) -> Mapping[str, Item]:
        raise trouble

    worker.board.get = broken  # type: ignore[method-assign]
    with pytest.raises(type(trouble)):
        rotation(worker, []).run()
    assert keys(iam)[old] == "Active"


def test_a_key_that_cannot_be_delivered_is_deleted(iam: "IAMClient") -> None:
    """No key is left behind that nobody has."""
    worker = Worker(iam)

    def unreachable(_text: str) -> None:
        raise ConfigurationError("ssh ended with 255")

    with pytest.raises(ConfigurationError, match="ssh"):
        Rotation(iam, USER, worker.board, unreachable, print, Patience(sleep=worker.sleep)).run()
    assert keys(iam) == {}


def test_two_keys_are_a_change_that_was_broken_off(iam: "IAMClient") -> None:
    """Which one the worker uses is not known here: say so, and delete neither."""
    for _ in range(2):
        iam.create_access_key(UserName=USER)
    with pytest.raises(ConfigurationError, match="--drop"):
        rotation(Worker(iam), []).run()
    assert len(keys(iam)) == 2


def test_before_an_uninstall_every_key_goes(iam: "IAMClient") -> None:
    """IAM deletes no user that has one."""
    iam.create_access_key(UserName=USER)
    assert len(rotation(Worker(iam), []).drop_all()) == 1
    iam.delete_user(UserName=USER)


def test_a_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Also when it replaces one."""
    path = tmp_path / "aws.json"
    for text in ("first", "second"):
        to_file(path)(text)
        assert path.read_text() == text
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
