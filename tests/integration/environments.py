"""Lambda's execution environments on this machine: processes of which each serves one request at a time."""

import multiprocessing
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from functions.login_callback import app
from kite_relay.adapters.dynamodb import DynamoBoard
from kite_relay.ports import Item
from tools.devstack.gateway import Handler, make_context


def _look_then_put(self: DynamoBoard, key: str, item: Item, *, expires_at: datetime | None = None) -> bool:
    """Claim in two steps, as no board may: all that look before the first one writes hold the claim to be theirs."""
    if self.get([key]):
        return False
    self.put(key, item, expires_at=expires_at)
    return True


def _begin(variables: Mapping[str, str], atomic: bool) -> None:
    os.environ.update(variables)
    if not atomic:
        DynamoBoard.put_new = _look_then_put  # type: ignore[method-assign]


def _answer(event: dict[str, Any]) -> dict[str, Any]:
    return app.handler(event, make_context("login"))


@contextmanager
def environments(count: int, *, atomic: bool = True) -> Iterator[Handler]:
    """Start so many; gives a handler that lets whichever is free answer.

    Args:
        count: how many.
        atomic: False breaks their board: it claims in two steps.
    """
    begin = multiprocessing.get_context("forkserver")
    begin.set_forkserver_preload([__name__])
    with begin.Pool(count, _begin, (dict(os.environ), atomic)) as pool:
        yield lambda event, _context: pool.apply(_answer, (event,))
