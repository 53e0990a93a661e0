"""The day's timeline: bounded, so that a bad day does not cost the status board."""

import asyncio
from datetime import timedelta

import pytest

from kite_relay.domain.records import timeline_key
from kite_relay.domain.token import IST
from tests.fakes.stores import FakeStatusBoard
from tests.fakes.trouble import FakeClock
from tests.fakes.virtual_time import inline
from worker import desk as module
from worker.circuit import Circuit
from worker.desk import MOST_A_DAY, Desk

LONGEST_ENTRY, ITEM_BYTES = 200, 400 * 1024
MOST = 20


async def test_a_day_of_coming_and_going_fits_one_item(monkeypatch: pytest.MonkeyPatch) -> None:
    """A feed that flaps all day fills the day, and no more; tomorrow is told anew."""
    assert MOST_A_DAY * LONGEST_ENTRY <= ITEM_BYTES
    monkeypatch.setattr(module, "MOST_A_DAY", MOST)
    clock = FakeClock()
    board = FakeStatusBoard(clock)
    desk = Desk(board, Circuit("dynamodb", clock, thread=inline), clock)
    writing = asyncio.create_task(desk.run())
    today = clock.now().astimezone(IST).date()
    for _ in range(MOST + 5):
        desk.tell("lost", generation=7)
    clock.advance(86_400)
    desk.tell("dialled", generation=8)
    await desk.drain()
    writing.cancel()
    told = [len(board.items[timeline_key(day)][0]["entries"]) for day in (today, today + timedelta(days=1))]
    assert told == [MOST, 1]
