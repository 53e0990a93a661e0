"""Every notifier tells which channels took a message and which did not, raises nothing, and shows no address."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from kite_relay.adapters.aws import make_client
from kite_relay.adapters.notify import Channels, apprise_channel, make_channels, sns_channel
from kite_relay.logging import scrubber
from kite_relay.ports import Notifier
from tests.fakes.canaries import canary
from tests.fakes.notify import FakeNotifier
from tests.fakes.stores import FakeParameters

# Apprise's own: it looks for the standard library's imghdr, and brings another where that is gone.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
SECRET = canary("NotifyUrl")


@dataclass
class Post:
    """A service that takes messages over HTTP on this machine, as ntfy or a web hook does."""

    port: int = 0
    status: int = 200
    bodies: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Give its Apprise URL; the path is its secret."""
        return f"json://127.0.0.1:{self.port}/{SECRET}"


@pytest.fixture
def post() -> Iterator[Post]:
    """Start the service."""
    post = Post()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            post.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(post.status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    post.port = server.server_port
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield post
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Case:
    """A notifier with one channel, the channel's name, and how to break it and to see what it sent."""

    notifier: Notifier
    name: str
    break_it: Callable[[], object]
    sent: Callable[[], list[tuple[str, str]]]


@pytest.fixture
def fake_case() -> Case:
    """Give the fake."""
    fake = FakeNotifier("phone")
    return Case(fake, "phone", lambda: fake.broken.add("phone"), lambda: fake.sent)


@pytest.fixture
def apprise_case(post: Post) -> Case:
    """Give Apprise over a real HTTP connection."""
    notifier = make_channels(FakeParameters(notify_urls=f"{post.url}\n"), "", scrubber.learn)

    def sent() -> list[tuple[str, str]]:
        return [(body["title"], body["message"]) for body in post.bodies]

    return Case(notifier, "json 1", lambda: setattr(post, "status", 500), sent)


@pytest.fixture
def sns_case(aws: str, unique: str) -> Case:
    """Give SNS at moto, with a queue that listens to the topic."""
    sns, sqs = make_client("sns"), make_client("sqs")
    name = unique[-40:]
    topic = sns.create_topic(Name=name)["TopicArn"]
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def sent() -> list[tuple[str, str]]:
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        bodies = [json.loads(message["Body"]) for message in found]
        return [(body["Subject"], body["Message"]) for body in bodies]

    return Case(Channels([sns_channel(topic, sns)]), "sns", lambda: sns.delete_topic(TopicArn=topic), sent)


@pytest.fixture(params=["fake_case", "apprise_case", "sns_case"])
def case(request: pytest.FixtureRequest) -> Case:
    """Give each notifier in turn."""
    found: Case = request.getfixturevalue(request.param)
    return found


def test_a_message_arrives_and_its_channel_is_told(case: Case) -> None:
    """Title and body as they were given."""
    delivery = case.notifier.notify("Log in to Zerodha", "One tap: https://kite.example.com/login")
    assert (list(delivery.sent), list(delivery.failed)) == ([case.name], [])
    assert case.sent() == [("Log in to Zerodha", "One tap: https://kite.example.com/login")]


def test_a_broken_channel_is_told_and_not_raised(case: Case) -> None:
    """By its name, never its address."""
    case.break_it()
    delivery = case.notifier.notify("title", "body")
    assert (list(delivery.sent), list(delivery.failed)) == ([], [case.name])


def test_one_broken_channel_keeps_no_other_from_its_message(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody listens at the first, the second is no URL, the third takes it; and no log shows an address."""
    caplog.set_level(logging.DEBUG)
    urls = f"json://127.0.0.1:1/{SECRET}  nonsense-{SECRET}\n{post.url}"
    delivery = make_channels(FakeParameters(notify_urls=urls), "", scrubber.learn).notify("title", "body")
    assert (list(delivery.sent), list(delivery.failed)) == (["json 3"], ["json 1", "url 2"])
    assert "urllib3" in {record.name.partition(".")[0] for record in caplog.records}, "which names the address"
    assert SECRET not in caplog.text


def test_a_library_that_raises_is_a_failed_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a service's code raises."""

    def explode(*_: Any, **__: Any) -> bool:
        raise RuntimeError(SECRET)

    channel = apprise_channel(1, "json://127.0.0.1:1/")
    monkeypatch.setattr("apprise.Apprise.notify", explode)
    assert list(Channels([channel]).notify("title", "body").failed) == ["json 1"]


def test_no_channel_is_set_up_where_none_is_wanted() -> None:
    """An absent or empty parameter, and no topic."""
    for parameters in (FakeParameters(), FakeParameters(notify_urls=" \n")):
        delivery = make_channels(parameters, "", lambda _: None).notify("title", "body")
        assert (list(delivery.sent), list(delivery.failed)) == ([], [])


def test_a_channel_shows_no_address() -> None:
    """It may stand in a traceback."""
    assert SECRET not in repr(apprise_channel(1, f"json://127.0.0.1/{SECRET}"))
