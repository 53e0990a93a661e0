"""Moto's SQS, with polls that end with whoever asked."""

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from flask import request
from moto.sqs.models import Queue
from werkzeug.exceptions import ClientDisconnected


@contextmanager
def attended_polls() -> Iterator[None]:
    """Let no poll of a dead worker take a message: three of them would send a good one to the dead-letter queue."""
    wait = Queue.wait_for_messages

    def attended(queue: Queue, timeout: int) -> None:
        wait(queue, timeout)
        asker: socket.socket = request.environ["werkzeug.socket"]
        if select.select([asker], [], [], 0)[0] and not asker.recv(1, socket.MSG_PEEK):
            raise ClientDisconnected

    with mock.patch.object(Queue, "wait_for_messages", attended):
        yield
