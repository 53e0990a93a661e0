"""Names: what the dashboard's search box and the terminal ask the relay."""

import asyncio
import json
from datetime import date
from threading import Event
from typing import Any

from websockets.asyncio.client import ClientConnection

from kite_relay.domain.errors import KiteUnavailableError
from kite_relay.domain.relay_keys import Scope
from tests.fakes.relay_world import World, relay_world, until
from tools.simulator.catalog import Catalog
from worker.relay_find import RETRY_SECONDS, Directory, Finder

DUMP = Catalog(date(2026, 11, 24)).dump()


class Kite:
    """Gives the list, or not, and counts who asks."""

    def __init__(self) -> None:
        self.asked = 0
        self.up = True
        self.gate = Event()
        self.gate.set()

    def fetch(self) -> str:
        """Give the list."""
        self.asked += 1
        self.gate.wait(5)
        if not self.up:
            raise KiteUnavailableError("Kite answered 502")
        return DUMP


def with_names(world: World, kite: Kite) -> None:
    """Let the relay know names."""
    directory = Directory(kite.fetch, ["NSE:NIFTY 50", "BSE:SENSEX", "NSE:GONE"], world.clock)
    world.relay._desk._finder = Finder(directory)


async def ask(socket: ClientConnection, text: Any) -> dict[str, Any]:
    """Ask, and take the next text frame."""
    await socket.send(json.dumps({"a": "find", "v": text}))
    return await answer(socket)


async def answer(socket: ClientConnection) -> dict[str, Any]:
    """Take the next text frame."""
    while True:
        frame = await asyncio.wait_for(socket.recv(), 5)
        if isinstance(frame, str):
            return dict(json.loads(frame))


async def test_a_few_letters_find_instruments() -> None:
    """The list is fetched once, at the first question."""
    kite = Kite()
    async with relay_world() as world, world.client() as page:
        with_names(world, kite)
        assert kite.asked == 0
        found = await ask(page, "infy")
        assert found["type"] == "instruments"
        assert found["data"]["query"] == "infy"
        first = found["data"]["instruments"][0]
        assert (first["token"], first["exchange"], first["symbol"]) == (408065, "NSE", "INFY")
        await ask(page, "reli")
        assert kite.asked == 1


async def test_nothing_asked_is_answered_by_what_is_always_held() -> None:
    """The page's first watch list; a name that Kite no longer has is left out."""
    async with relay_world() as world, world.client() as page:
        with_names(world, Kite())
        held = (await ask(page, ""))["data"]["instruments"]
        assert [one["token"] for one in held] == [256265, 265]


async def test_the_list_is_new_every_day_and_yesterdays_is_better_than_none() -> None:
    """A morning without Kite's REST side still finds names, and Kite is not asked again at once."""
    kite = Kite()
    async with relay_world() as world, world.client() as page:
        with_names(world, kite)
        await ask(page, "infy")
        kite.up = False
        world.clock.advance(86_400)
        assert (await ask(page, "infy"))["data"]["instruments"]
        await ask(page, "tcs")
        assert kite.asked == 2
        kite.up = True
        world.clock.advance(RETRY_SECONDS)
        await ask(page, "tcs")
        assert kite.asked == 3


async def test_without_a_list_the_answer_says_so() -> None:
    """An error is told as Kite tells errors, and the connection stays."""
    kite = Kite()
    kite.up = False
    async with relay_world() as world, world.client() as page:
        with_names(world, kite)
        assert "try again" in (await ask(page, "infy"))["data"]


async def test_only_the_newest_question_waits() -> None:
    """Whoever types faster than Kite answers gets the answer to the last question, and piles nothing up."""
    kite = Kite()
    kite.gate.clear()
    async with relay_world() as world, world.client() as page:
        with_names(world, kite)
        await page.send(json.dumps({"a": "find", "v": "r"}))
        await until(lambda: kite.asked == 1)
        for text in ("re", "rel", "reli"):
            await page.send(json.dumps({"a": "find", "v": text}))
        await (await page.ping())
        kite.gate.set()
        assert [(await answer(page))["data"]["query"] for _ in range(2)] == ["r", "reli"]


async def test_who_may_not_see_ticks_may_not_ask_and_some_relays_cannot_answer() -> None:
    """Refusals are told in a sentence; a question that is no text is no command."""
    async with relay_world() as world:
        key = world.parameters.make("orders", Scope.ORDERS)
        await world.relay.refresh_keys()
        async with world.client(key) as stranger, world.client() as page:
            assert "no scope 'ticks'" in (await ask(stranger, "infy"))["data"]
            assert "knows no names" in (await ask(page, "infy"))["data"]
            assert "none of" in (await ask(page, 7))["data"]
