"""Lambda's execution environments on this machine: processes of which each serves one request at a time."""

import multiprocessing
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from functions.login_callback import app
from tools.devstack.gateway import Handler, make_context


def _begin(variables: Mapping[str, str]) -> None:
    os.environ.update(variables)


def _answer(event: dict[str, Any]) -> dict[str, Any]:
    return app.handler(event, make_context("login"))


@contextmanager
def environments(count: int) -> Iterator[Handler]:
    """Start so many; gives a handler that lets whichever is free answer."""
    begin = multiprocessing.get_context("forkserver")
    begin.set_forkserver_preload([__name__])
    with begin.Pool(count, _begin, (dict(os.environ),)) as pool:
        yield lambda event, _context: pool.apply(_answer, (event,))
