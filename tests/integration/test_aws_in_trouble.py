"""AWS in trouble, as botocore really meets it: each call is one request, ends in time, and names what is wrong."""

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest import mock

import pytest

from kite_relay.adapters.aws import CONNECT_SECONDS, READ_SECONDS
from kite_relay.adapters.sqs import LONGEST_WAIT
from kite_relay.config import WorkerDeployable, worker_deployable
from kite_relay.domain.errors import AccessRefusedError, ConfigurationError, KiteRelayError, StoreUnavailableError
from kite_relay.ports import Message
from tests.fakes.aws import environment

MARGIN = 2.0
CALLS: dict[str, Callable[[WorkerDeployable], Any]] = {
    "ssm": lambda ports: ports.tokens.peek(),
    "sqs": lambda ports: ports.inbox.delete(Message("", "receipt")),
    "dynamodb": lambda ports: ports.board.put("worker", {}),
}


@dataclass
class FakeAws:
    """Answers every request alike, and counts them. `hang` keeps them waiting until it is set."""

    code: str = ""
    words: str = ""
    offset: timedelta = timedelta()
    requests: int = 0
    hang: threading.Event | None = None

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        self.requests += 1
        handler.rfile.read(int(handler.headers["Content-Length"]))
        if self.hang:
            self.hang.wait()
            return
        body = json.dumps({"__type": f"com.amazonaws#{self.code}", "message": self.words}).encode()
        handler.send_response_only(400 if self.code else 200)
        handler.send_header("Date", format_datetime(datetime.now(UTC) + self.offset, usegmt=True))
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@contextmanager
def serving(fake: FakeAws) -> Iterator[WorkerDeployable]:
    """Serve it, and give the worker's ports as the environment makes them."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            fake.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    root = f"http://127.0.0.1:{server.server_port}"
    variables = environment(root)
    try:
        with mock.patch.dict(os.environ, variables):
            yield worker_deployable({**variables, "QUEUE_URL": f"{root}/1/q", "BOARD_TABLE": "board"})
    finally:
        if fake.hang:
            fake.hang.set()
        server.shutdown()
        thread.join()
        server.server_close()


def failure(call: Callable[[WorkerDeployable], Any], ports: WorkerDeployable) -> KiteRelayError:
    """Make a call that must fail; gives its error."""
    with pytest.raises(KiteRelayError) as caught:
        call(ports)
    return caught.value


REFUSALS = {
    "ExpiredTokenException": "aws_key",
    "InvalidSignatureException": "aws_key",
    "UnrecognizedClientException": "aws_key",
    "AccessDeniedException": "aws_denied",
    "QueueDoesNotExist": "aws_missing",
    "ResourceNotFoundException": "aws_missing",
}


@pytest.mark.promise(17)
@pytest.mark.parametrize("service", CALLS)
@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_is_a_finding_of_its_own(service: str, code: str) -> None:
    """Asked once; what AWS says is passed on where it names a right, and nowhere else."""
    fake = FakeAws(code, "User: arn:aws:iam::1:user/worker may not")
    with serving(fake) as ports:
        error = failure(CALLS[service], ports)
    assert isinstance(error, AccessRefusedError)
    assert (error.finding, fake.requests) == (REFUSALS[code], 1)
    assert ("may not" in str(error)) == (code == "AccessDeniedException")


@pytest.mark.promise(17)
@pytest.mark.parametrize("service", CALLS)
@pytest.mark.parametrize("code", ["ThrottlingException", "ProvisionedThroughputExceededException", "InternalFailure"])
def test_trouble_is_not_tried_again_by_itself(service: str, code: str) -> None:
    """The worker's circuit counts the calls: a retry of botocore's own would double them."""
    fake = FakeAws(code)
    with serving(fake) as ports:
        error = failure(CALLS[service], ports)
    assert isinstance(error, StoreUnavailableError)
    assert code in str(error)
    assert fake.requests == 1


@pytest.mark.promise(17)
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("RequestExpired", ""),
        ("InvalidSignatureException", "Signature expired: 20261124T030000Z is now earlier than 20261124T035500Z"),
        ("InvalidSignatureException", "Signature not yet current: 20261124T050000Z is still later than"),
    ],
)
def test_a_wrong_clock_is_told_from_a_wrong_key(code: str, words: str) -> None:
    """And how far off it is is measured by the very answer that refuses."""
    fake = FakeAws(code, words, offset=timedelta(hours=1))
    with serving(fake) as ports:
        error = failure(CALLS["ssm"], ports)
        assert ports.skew.seconds == pytest.approx(-3600, abs=2)
    assert isinstance(error, ConfigurationError)
    assert not isinstance(error, AccessRefusedError)
    assert "clock is wrong" in str(error)


def test_every_good_answer_tells_the_time() -> None:
    """The worker's clock is compared at each call, not at its start alone."""
    fake = FakeAws(offset=timedelta(seconds=-45))
    with serving(fake) as ports:
        CALLS["dynamodb"](ports)
        assert ports.skew.seconds == pytest.approx(45, abs=2)
        fake.offset = timedelta()
        CALLS["dynamodb"](ports)
        assert ports.skew.seconds == pytest.approx(0, abs=2)


@pytest.mark.promise(17)
async def test_a_call_that_hangs_ends_in_time(
    measured: Callable[[str, object], None], at_scale: Callable[[list[str], list[str]], list[str]], patience: float
) -> None:
    """One request each, given up after the client's own patience; SQS is given its long poll besides."""
    fake = FakeAws(hang=threading.Event())
    services = at_scale(["ssm", "dynamodb"], list(CALLS))
    with serving(fake) as ports:
        for service in services:
            began, before = time.monotonic(), fake.requests
            error = await asyncio.to_thread(failure, CALLS[service], ports)
            seconds = time.monotonic() - began
            measured(f"{service} hangs: seconds until it is given up", round(seconds, 1))
            assert isinstance(error, StoreUnavailableError)
            assert fake.requests - before == 1
            longest = CONNECT_SECONDS + READ_SECONDS + (LONGEST_WAIT if service == "sqs" else 0)
            assert seconds <= (longest + MARGIN) * patience


@pytest.mark.promise(17)
@pytest.mark.parametrize("service", CALLS)
def test_nobody_there_is_trouble_that_will_pass(service: str) -> None:
    """A refused connection."""
    with serving(FakeAws()) as ports:
        pass
    began = time.monotonic()
    assert isinstance(failure(CALLS[service], ports), StoreUnavailableError)
    assert time.monotonic() - began <= CONNECT_SECONDS + MARGIN
