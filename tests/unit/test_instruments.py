"""A few letters find the right instrument, a name means exactly one, and a broken list is refused."""

from datetime import date

import pytest

from kite_relay.domain.errors import ConfigurationError, MalformedError
from kite_relay.domain.instruments import MAX_TOKEN, Catalog, Instrument
from tools.simulator.catalog import COLUMNS
from tools.simulator.catalog import Catalog as SimulatedCatalog

HEADER = ",".join(COLUMNS) + "\n"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """Read the simulator's list, which has Kite's columns."""
    return Catalog.parse(SimulatedCatalog(date(2026, 11, 24)).dump())


def keys(found: list[Instrument]) -> list[str]:
    """Name what was found."""
    return [one.key for one in found]


def test_the_likeliest_comes_first(catalog: Catalog) -> None:
    """Indices before shares before contracts, and what begins with the letters before what holds them."""
    assert keys(catalog.find("nifty", 2)) == ["NSE:NIFTY 50", "NSE:NIFTY BANK"]
    assert keys(catalog.find("INFY"))[0] == "NSE:INFY"
    assert keys(catalog.find("nse:rel"))[0] == "NSE:RELIANCE"
    assert keys(catalog.find("  nifty   bank "))[0] == "NSE:NIFTY BANK"


def line(token: int, symbol: str, name: str = "", kind: str = "EQ", segment: str = "", exchange: str = "NSE") -> str:
    """Write one line of Kite's list."""
    return f"{token},1,{symbol},{name},0,,0,0.05,1,{kind},{segment or exchange},{exchange}\n"


def test_among_equal_matches_indices_shares_futures_and_options_follow_each_other() -> None:
    """Whatever the order of the list; within a kind NSE goes first."""
    lines = [
        line(1, "GOLD26DEC70CE", kind="CE", exchange="NFO"),
        line(2, "GOLD26DECFUT", kind="FUT", exchange="MCX"),
        line(3, "GOLD26NOVFUT", kind="FUT", exchange="NFO"),
        line(4, "GOLDBEES", exchange="BSE"),
        line(5, "GOLDBEES"),
        line(6, "GOLD INDEX", segment="INDICES"),
    ]
    found = Catalog.parse(HEADER + "".join(lines)).find("gold")
    assert [one.token for one in found] == [6, 5, 4, 3, 2, 1]


def test_a_symbol_that_is_the_text_precedes_one_that_begins_with_it_and_one_that_holds_it() -> None:
    """The name is looked at last, whatever stands in it."""
    named = Instrument(1, "NSE", "AXIS", "Axis: Gold Fund")
    held, begun, exact = (
        Instrument(n, "NSE", symbol, "Fund: x") for n, symbol in enumerate(("XGOLD", "GOLDX", "GOLD"))
    )
    catalog = Catalog([named, held, begun, exact])
    assert catalog.find("gold") == [exact, begun, named, held]
    assert catalog.find("nse:g") == [begun, exact]
    assert named.to_body() == {"token": 1, "exchange": "NSE", "symbol": "AXIS", "name": "Axis: Gold Fund"}


def test_search_is_bounded_and_calm(catalog: Catalog) -> None:
    """Never more than asked for; nothing for nothing; no pattern is special."""
    assert len(catalog.find("N", 5)) == 5
    assert len(catalog.find("N")) == 12
    assert len(set(keys(catalog.find("N", 50)))) == 50
    assert catalog.find("   ") == []
    assert catalog.find("no such thing") == []
    assert catalog.find(".*") == []


@pytest.mark.parametrize(
    ("key", "token"), [("NSE:NIFTY 50", 256265), ("nse:infy", 408065), ("SENSEX", 265), ("INFY", 408065)]
)
def test_a_name_means_one_instrument(catalog: Catalog, key: str, token: int) -> None:
    """With its exchange or without, in any case."""
    assert catalog.resolve(key).token == token


def test_the_first_and_the_last_line_are_found_too(catalog: Catalog) -> None:
    """Edges of the text are no edges of the search."""
    two = Catalog([Instrument(1, "NSE", "AAA", "First"), Instrument(2, "NSE", "ZZZ", "Last")])
    assert [two.find("aaa")[0].token, two.find("last")[0].token] == [1, 2]
    assert [two.resolve("AAA").token, two.resolve("NSE:ZZZ").token, len(two)] == [1, 2, 2]


def test_a_name_that_only_another_exchange_has_is_found_there(catalog: Catalog) -> None:
    """NSE and BSE go first, by whatever order the list has; the exchange may be left out for the others too."""
    rows = [Instrument(n, exchange, "GOLD", "Gold") for n, exchange in enumerate(("MCX", "BSE", "NSE"), 1)]
    assert [Catalog(rows[:most]).resolve("gold").exchange for most in (1, 2, 3)] == ["MCX", "BSE", "NSE"]


def test_an_unknown_name_says_what_was_perhaps_meant(catalog: Catalog) -> None:
    """A slip costs one look at the message."""
    with pytest.raises(ConfigurationError, match="'NSE:INF'; did you mean NSE:INFY"):
        catalog.resolve("NSE:INF")
    with pytest.raises(ConfigurationError, match=r"'XYZZY'$"):
        catalog.resolve("XYZZY")
    four = Catalog([Instrument(n, "NSE", f"GOLD{n}", "") for n in range(4)])
    for slip in ("BSE:GOLD", "GOLD"):
        with pytest.raises(ConfigurationError, match=r"did you mean NSE:GOLD0, NSE:GOLD1, NSE:GOLD2\?$"):
            four.resolve(slip)


@pytest.mark.parametrize("token", [1, MAX_TOKEN])
def test_a_line_is_read_whole(token: int) -> None:
    """With the smallest token that Kite's packets can carry, and the largest."""
    (found,) = Catalog.parse(HEADER + line(token, "GOLD", "Gold in grams")).find("gold")
    assert found == Instrument(token, "NSE", "GOLD", "Gold in grams")


@pytest.mark.parametrize(
    ("dump", "why"),
    [
        ("", "no column 'instrument_token'"),
        ("<html>", "no column"),
        (HEADER, "is empty"),
        (HEADER + "1,2,3\n", "is short: '1,2,3'"),
        (HEADER + line(1, "A").rpartition(",")[0] + "\n", "is short"),
        (HEADER + line(MAX_TOKEN + 1, "A"), "a token that is none"),
        (HEADER + "x,1,A,A,0,,0,0,0,EQ,NSE,NSE\n", "a token that is none"),
        (HEADER + "0,1,A,A,0,,0,0,0,EQ,NSE,NSE\n", "a token that is none"),
    ],
)
def test_a_broken_list_is_refused(dump: str, why: str) -> None:
    """An error page of a proxy must not replace a good list."""
    with pytest.raises(MalformedError, match=why):
        Catalog.parse(dump)
