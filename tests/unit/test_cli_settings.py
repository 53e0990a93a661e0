"""One command at a time changes a setting, and one that died does not stand in the way for long."""

import pytest

from kite_relay.domain.errors import StoreUnavailableError
from tests.fakes import FakeClock, FakeStatusBoard
from tools.cli.settings import LEASE, PATIENCE_SECONDS, alone


def test_who_died_is_waited_for_and_then_told_of() -> None:
    """The message says what to do; and a minute later the mark has ended by itself."""
    clock = FakeClock()
    board = FakeStatusBoard(clock)
    dead = alone(board, clock, "relay_keys")
    dead.__enter__()
    began = clock.monotonic()
    with pytest.raises(StoreUnavailableError, match=r"changing 'relay_keys'.*wait a minute"):  # noqa: SIM117 - who fails
        with alone(board, clock, "relay_keys", clock.advance):
            pytest.fail("two at once")
    assert clock.monotonic() - began >= PATIENCE_SECONDS
    with alone(board, clock, "market_overrides"):
        clock.advance(LEASE.total_seconds())
    with alone(board, clock, "relay_keys"):
        pass


def test_a_board_that_dies_while_one_writes_is_no_failure() -> None:
    """What was to be written stands: to say that it failed would lose a key that is shown only once."""
    clock = FakeClock()
    board = FakeStatusBoard(clock)
    with alone(board, clock, "relay_keys"):
        board.trouble = StoreUnavailableError("DynamoDB: throttled")
