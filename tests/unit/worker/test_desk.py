"""The day's timeline: bounded, so that a bad day does not cost the status board."""

import asyncio
from datetime import timedelta

from kite_relay.domain.records import timeline_key
from kite_relay.domain.token import IST
from tests.fakes.stores import FakeStatusBoard
from tests.fakes.trouble import FakeClock
from tests.fakes.virtual_time import inline
from worker.circuit import Circuit
from worker.desk import MOST_OF_A_KIND, Desk


async def test_a_day_of_coming_and_going_stays_small() -> None:
    """A feed that flaps all day is told so often, and no more; today's login is told still, and tomorrow all anew."""
    clock = FakeClock()
    board = FakeStatusBoard(clock)
    desk = Desk(board, Circuit("dynamodb", clock, thread=inline), clock)
    writing = asyncio.create_task(desk.run())
    today = clock.now().astimezone(IST).date()
    for _ in range(MOST_OF_A_KIND + 5):
        desk.tell("lost", generation=7)
    desk.tell("first_tick", generation=8)
    clock.advance(86_400)
    desk.tell("dialled", generation=8)
    await desk.drain()
    writing.cancel()
    days = [board.items[timeline_key(day)][0]["entries"] for day in (today, today + timedelta(days=1))]
    told = [[entry["what"] for entry in entries] for entries in days]
    assert told == [["lost"] * MOST_OF_A_KIND + ["first_tick"], ["dialled"]]
