"""`kite-relay watch` is a client of the relay like any other: names, ticks, refusals and reconnecting."""

import asyncio
import json
from datetime import date

import pytest

from kite_relay.domain.errors import ConfigurationError, WillPassError
from kite_relay.domain.instruments import Instrument
from kite_relay.domain.ticks import Mode, Tick
from tests.fakes.relay_world import INFY, NIFTY, World, full_packet, index_packet, relay_world, until
from tools.cli import watch
from tools.cli.relay_line import follow, relay_address, relay_key
from tools.simulator.catalog import Catalog
from worker.relay_find import Directory, Finder

DUMP = Catalog(date(2026, 11, 24)).dump()
Seen = list[tuple[str, float]]


def with_names(world: World) -> None:
    """Let the relay know names."""
    world.relay._desk._finder = Finder(Directory(lambda: DUMP, (), world.clock))


def start(world: World, seen: Seen, *names: str, key: str | None = None) -> asyncio.Task[None]:
    """Follow in the background."""

    def show(one: Instrument, tick: Tick) -> None:
        seen.append((one.key, tick.last_price))

    address = f"ws://127.0.0.1:{world.relay.port}"
    return asyncio.create_task(follow(address, key or world.key, names, show))


async def test_names_become_ticks() -> None:
    """A symbol, an exchange's symbol and the beginning of a name are all understood."""
    async with relay_world() as world:
        with_names(world)
        seen: Seen = []
        task = start(world, seen, "infy", "NSE:NIFTY 50")
        await until(lambda: set(world.wanted.get("relay", ())) == {INFY, NIFTY})
        world.tick(full_packet(INFY, 123450), index_packet(NIFTY, 2600000))
        await until(lambda: len(seen) == 2)
        assert seen == [("NSE:INFY", 1234.5), ("NSE:NIFTY 50", 26000.0)]
        task.cancel()


async def test_a_lost_line_is_made_anew() -> None:
    """The relay restarts, the terminal goes on."""
    async with relay_world() as world:
        with_names(world)
        seen: Seen = []
        task = start(world, seen, "INFY")
        await until(lambda: bool(world.wanted.get("relay")))
        (client,) = world.relay._clients
        client.transport.abort()
        await until(lambda: not world.wanted["relay"])
        await until(lambda: bool(world.wanted["relay"]))
        world.tick(full_packet(INFY, 200))
        await until(lambda: seen == [("NSE:INFY", 2.0)])
        task.cancel()


async def test_a_bad_key_and_a_bad_name_end_it_with_a_sentence() -> None:
    """What a person must mend is not tried again and again."""
    async with relay_world() as world:
        with_names(world)
        with pytest.raises(ConfigurationError, match="keys create"):
            await start(world, [], "INFY", key="kr_wrong")
        with pytest.raises(ConfigurationError, match="no instrument 'XYZZY'"):
            await start(world, [], "XYZZY")


async def test_no_tick_is_told_and_not_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a token nothing flows: who looks for some seconds reads where it is told why."""
    async with relay_world() as world:
        with_names(world)
        monkeypatch.setenv("KITE_RELAY_KEY", world.key)
        with pytest.raises(WillPassError, match="kite-relay status"):
            await asyncio.to_thread(watch.watch, ["INFY"], relay=f"ws://127.0.0.1:{world.relay.port}", seconds=0.3)


def test_the_key_never_comes_from_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in the environment, or typed unseen; otherwise the error says where to put it."""
    monkeypatch.setenv("KITE_RELAY_KEY", "kr_some_key")
    assert relay_key() == "kr_some_key"
    monkeypatch.delenv("KITE_RELAY_KEY")
    with pytest.raises(ConfigurationError, match="KITE_RELAY_KEY"):
        relay_key()


@pytest.mark.parametrize("address", ["http://x", "relay.example", "ws:///"])
def test_an_address_that_is_none_is_told(address: str) -> None:
    """A slip is named before anything is dialled."""
    with pytest.raises(ConfigurationError, match="no relay's address"):
        relay_address(address)


def test_lines_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Plain lines for a log, one object per tick for a script."""
    tick = Tick(INFY, Mode.LTP, tradable=True, last_price=1234567.8, change=-0.5)
    one = Instrument(INFY, "NSE", "INFY", "INFOSYS")
    watch._print_line(one, tick)
    watch._print_json(one, tick)
    line, text = capsys.readouterr().out.splitlines()
    assert line.split(" ", 1)[1] == "NSE:INFY 12,34,567.80 ▼ 0.50 %"
    assert json.loads(text)["last_price"] == 1234567.8
