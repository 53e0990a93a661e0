"""The settings that verbs read, change and write back: one command at a time, because SSM knows no compare-and-set."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from kite_relay.adapters.clock import SystemClock
from kite_relay.config import AwsStores, Environment, FileStores, stores
from kite_relay.domain.errors import KiteRelayError, StoreUnavailableError
from kite_relay.domain.records import change_key
from kite_relay.ports import Clock, Parameters, StatusBoard
from tools.cli import place

LEASE = timedelta(minutes=1)
"""After which a command that died no longer stands in the way; longer than reading and writing may take."""
PATIENCE_SECONDS = 15.0
PAUSE_SECONDS = 0.2


def stored() -> AwsStores | FileStores:
    """Find where the settings stand: the stack, or one machine's file."""
    return stores(Environment(place.variables()), SystemClock())


@contextmanager
def to_change(name: str) -> Iterator[Parameters]:
    """Give the settings to read one and write it back, while no other command does.

    Raises:
        StoreUnavailableError: another command is at it, and does not end.
    """
    make = stored()
    with alone(make.board(), SystemClock(), name):
        yield make.parameters()


@contextmanager
def alone(board: StatusBoard, clock: Clock, name: str, pause: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """Hold a lease on a setting: a mark on the board, which only one can make.

    Raises:
        StoreUnavailableError: another command is at it, and does not end.
    """
    mark, end = change_key(name), clock.monotonic() + PATIENCE_SECONDS
    while not board.put_new(mark, {}, expires_at=clock.now() + LEASE):
        if clock.monotonic() >= end:
            raise StoreUnavailableError(f"another command is changing '{name}', or died while it did: wait a minute")
        pause(PAUSE_SECONDS)
    try:
        yield
    finally:
        with suppress(KiteRelayError):  # what was to be written stands; the mark ends by itself
            board.delete(mark)
