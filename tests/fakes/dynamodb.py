"""Moto's DynamoDB, with writes as atomic as DynamoDB's own are, and a board in it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest import mock

from moto.dynamodb.models import DynamoDBBackend


@contextmanager
def atomic_writes() -> Iterator[None]:
    """Let each write of a moto server end before the next begins: between its threads, conditions and updates get lost.

    A board that reads, changes and writes would still lose entries: only the single call is atomic, here and at AWS.
    """
    lock = threading.Lock()

    def alone(write: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(write)
        def locked(*args: Any, **options: Any) -> Any:
            with lock:
                return write(*args, **options)

        return locked

    with ExitStack() as patched:
        for name in ("put_item", "update_item"):
            patched.enter_context(mock.patch.object(DynamoDBBackend, name, alone(getattr(DynamoDBBackend, name))))
        yield


def make_board(client: Any, name: str) -> None:
    """Make a status board's table."""
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
