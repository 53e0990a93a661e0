"""The inbox's contract (the fake, SQS, a watched file), and the bus that fills it."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kite_relay.adapters.aws import READ_SECONDS, make_client
from kite_relay.adapters.clock import SystemClock
from kite_relay.adapters.env_file import EnvFile, FileTokenStore, WatchedFileBus
from kite_relay.adapters.eventbridge import EventBridgeBus
from kite_relay.adapters.file_inbox import AGAIN_SECONDS, FileInbox
from kite_relay.adapters.sqs import LONGEST_WAIT, SqsInbox
from kite_relay.domain.errors import ConfigurationError, StoreUnavailableError
from kite_relay.domain.events import SOURCE, StoreChanged, TokenRotated, parse_announcement
from kite_relay.ports import EventBus, Inbox
from tests.fakes import FakeClock, FakeEventBus, FakeInbox

EVENT = TokenRotated(7, "/kite-relay/access_token", "AB1234", datetime(2026, 11, 24, 3, 15, tzinfo=UTC), "login")


@dataclass
class Way:
    """From the announcement to the inbox."""

    announce: Callable[[], None]
    inbox: Inbox


def aws_way(name: str) -> Way:
    """Make a bus, a queue and the rule between them."""
    sqs, events = make_client("sqs", read_seconds=LONGEST_WAIT + READ_SECONDS), make_client("events")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.create_event_bus(Name=name)
    events.put_rule(Name=name, EventBusName=name, EventPattern=json.dumps({"source": [SOURCE]}))
    events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "queue", "Arn": arn}])
    bus: EventBus = EventBridgeBus(events, name)
    return Way(lambda: bus.announce(EVENT), SqsInbox(sqs, url))


def file_way(folder: Path, clock: FakeClock) -> Way:
    """Make a file, its bus and its inbox; to announce is to write a token and touch the file, as a login does."""
    path = folder / ".env"
    store = FileTokenStore(EnvFile(path, SystemClock(), lambda _: None))
    bus = WatchedFileBus(path)

    def announce() -> None:
        store.write("a-new-token")
        bus.announce(EVENT)

    return Way(announce, FileInbox(store, path, clock))


@pytest.fixture(params=["fake", "sqs", "file"])
def way(request: pytest.FixtureRequest, tmp_path: Path, unique: str) -> Way:
    """Make a way of each kind."""
    if request.param == "file":
        return file_way(tmp_path, FakeClock())
    if request.param == "fake":
        inbox = FakeInbox()
        bus = FakeEventBus(inbox)
        return Way(lambda: bus.announce(EVENT), inbox)
    request.getfixturevalue("aws")
    return aws_way(unique)


def test_an_empty_inbox_is_normal(way: Way) -> None:
    """Nothing comes, and nothing breaks."""
    assert list(way.inbox.receive(0)) == []


def test_what_is_announced_is_received_and_confirmed(way: Way) -> None:
    """It can be read, counts its receives, shows no receipt, and never comes again once it is confirmed."""
    way.announce()
    (message,) = way.inbox.receive(1)
    assert isinstance(parse_announcement(message.body), TokenRotated | StoreChanged)
    assert message.receives == 1
    assert "receipt" not in repr(message)
    way.inbox.delete(message)
    assert list(way.inbox.receive(0)) == []
    way.announce()
    assert len(way.inbox.receive(1)) == 1


def test_what_is_not_confirmed_stays_hidden_for_a_while(way: Way) -> None:
    """No hot loop."""
    way.announce()
    assert len(way.inbox.receive(1)) == 1
    assert list(way.inbox.receive(0)) == []


def test_an_unconfirmed_change_of_the_file_comes_again(tmp_path: Path) -> None:
    """After as long as the queue's visibility timeout, with its count."""
    clock = FakeClock()
    way = file_way(tmp_path, clock)
    way.announce()
    assert [message.receives for message in way.inbox.receive(0)] == [1]
    clock.advance(AGAIN_SECONDS)
    assert [message.receives for message in way.inbox.receive(0)] == [2]


def test_a_file_whose_versions_were_deleted_is_heard_again(tmp_path: Path) -> None:
    """They begin at 1 again: the next tokens are told, though the reader confirmed higher numbers before."""
    way = file_way(tmp_path, FakeClock())
    for _ in range(3):
        way.announce()
        (message,) = way.inbox.receive(1)
        way.inbox.delete(message)
    (tmp_path / ".env.versions").unlink()
    for generation in ("1", "2"):
        (message,) = way.inbox.receive(1)
        assert message.receipt == generation
        way.inbox.delete(message)
        assert list(way.inbox.receive(0)) == []
        way.announce()


def test_a_change_of_the_file_wakes_the_reader(tmp_path: Path) -> None:
    """Long before the wait is over."""
    way = file_way(tmp_path, FakeClock())
    timer = threading.Timer(0.2, way.announce)
    timer.start()
    (message,) = way.inbox.receive(30)
    timer.join()
    assert parse_announcement(message.body) == StoreChanged(str(tmp_path / ".env"))


@pytest.mark.usefixtures("aws")
def test_what_does_not_exist_is_the_operators_to_mend() -> None:
    """The queue's or the bus's name is wrong."""
    url = "http://127.0.0.1/123456789012/nowhere"
    with pytest.raises(ConfigurationError):
        SqsInbox(make_client("sqs"), url).receive(0)


def test_aws_out_of_reach_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens there: try again later."""
    for name, value in {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_DEFAULT_REGION": "ap-south-1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with pytest.raises(StoreUnavailableError, match="EndpointConnectionError"):
        EventBridgeBus(make_client("events"), "bus").announce(EVENT)
