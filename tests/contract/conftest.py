"""The real adapters against moto's server, SQLite and files, beside the fakes. One moto server serves a process."""

import os
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from moto.server import ThreadedMotoServer

from kite_relay.adapters.aws import make_client
from tests.fakes.aws import environment
from tests.fakes.dynamodb import atomic_writes


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    """Start moto on a free port, and point botocore at it; gives the endpoint."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    with atomic_writes(), mock.patch.dict(os.environ, environment(endpoint)):
        make_client("ssm", read_seconds=60).get_parameters(Names=["nothing"])  # the first answer takes moto seconds
        yield endpoint
    server.stop()


@pytest.fixture(scope="session")
def stacks(aws: str) -> None:
    """Let moto load all that a stack may hold, which takes it long: the command line has seconds only."""
    make_client("cloudformation", read_seconds=100).list_stacks()


@pytest.fixture
def unique(request: pytest.FixtureRequest) -> str:
    """Name things at the shared server after the test."""
    return "".join(c for c in request.node.nodeid if c.isalnum())[-60:]


@pytest.fixture(autouse=True)
def no_stray_aws(monkeypatch: pytest.MonkeyPatch) -> Any:
    """No test may find the credentials of whoever runs it."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
