"""The data file is well formed, and the validator sees what is not."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from kite_relay.domain.errors import MalformedError
from kite_relay.domain.market_data import parse
from tools.market_check import DATA, check_file, problems

Document = dict[str, Any]
MAX_BYTES = 32_000
"""Every function parses it at its cold start."""


@pytest.fixture
def document() -> Document:
    """Give a fresh copy of the real data."""
    return dict(json.loads(DATA.read_text()))


def test_the_data_file_is_good_and_small() -> None:
    """No problem at all."""
    assert check_file() == []
    assert DATA.stat().st_size < MAX_BYTES


def test_it_holds_what_the_exchanges_published(document: Document) -> None:
    """The closures per year, the special sessions, and the day that the data ends."""
    years = [row["date"][:4] for row in document["closures"]]
    assert {year: years.count(year) for year in set(years)} == {"2024": 16, "2025": 13, "2026": 16}
    assert len(document["special_sessions"]) == 8
    assert document["valid_through"] == "2026-12-31"
    assert all(row["source"] and row["confidence"] for part in ("closures", "regimes") for row in document[part])


def _swap_closures(it: Document) -> None:
    it["closures"][0], it["closures"][1] = it["closures"][1], it["closures"][0]


BREAKAGES: dict[str, tuple[Callable[[Document], object], str]] = {
    "an unknown key": (lambda it: it.update(extra=1), "extra"),
    "a closure without a source": (lambda it: it["closures"][0].pop("source"), "source"),
    "an unexplained source": (lambda it: it["closures"][0].update(source="hearsay"), "hearsay"),
    "an unused source": (lambda it: it["sources"].update({"idle-source": "somebody said so"}), "idle-source"),
    "an unknown confidence": (lambda it: it["closures"][0].update(confidence="sure"), "sure"),
    "a date that is none": (lambda it: it["closures"][0].update(date="2024-13-01"), "2024-13-01"),
    "the 30th of February": (lambda it: it["closures"][3].update(date="2024-02-30"), "ValueError"),
    "rows out of order": (_swap_closures, "stands after"),
    "a closure on a Sunday": (lambda it: it["closures"][0].update(date="2024-01-21"), "Sunday"),
    "a date twice": (lambda it: it["special_sessions"][3].update(date="2024-10-02"), "twice"),
    "a date past the end": (lambda it: it["closures"][-1].update(date="2027-01-26"), "outside"),
    "a settlement holiday on a closure": (
        lambda it: it["settlement_holidays"][0].update(date="2025-08-15"),
        "no session",
    ),
    "a gap between regimes": (lambda it: it["regimes"][0].update(valid_through="2026-08-01"), "begins on"),
    "regimes that end too early": (lambda it: it["regimes"].pop(3), "do not span"),
    "an interval that is none": (lambda it: it["regimes"][0]["sessions"].append("16:00 POST_CLOSE late"), "16:00"),
    "an interval backwards": (lambda it: it["regimes"][0]["sessions"].append("17:00-16:30 CLOSED late"), "ends before"),
    "overlapping intervals": (lambda it: it["regimes"][0]["sessions"].append("15:50-16:30 CLOSED late"), "above it"),
    "a day without trading": (lambda it: it["regimes"][0].update(sessions=["09:00-09:15 PRE_OPEN x"]), "no continuous"),
    "an auction before trading": (
        lambda it: it["regimes"][0]["sessions"].insert(0, "08:00-08:30 CLOSING_AUCTION early"),
        "other than a pre-open",
    ),
    "another schema": (lambda it: it.update(schema="kite-relay/market-sessions/2"), "schema"),
}


@pytest.mark.parametrize("name", BREAKAGES)
def test_the_validator_sees(name: str, document: Document) -> None:
    """Each breakage is named in words that lead to it."""
    damage, words = BREAKAGES[name]
    damage(document)
    assert any(words in problem for problem in problems(document)), problems(document)


@pytest.mark.parametrize(
    "damage",
    [
        lambda it: it.update(schema="other"),
        lambda it: it.pop("regimes"),
        lambda it: it["closures"][0].update(date=5),
        lambda it: it["special_sessions"][1].update(sessions={"cash": []}),
    ],
)
def test_the_program_refuses_a_broken_file_too(damage: Callable[[Document], object], document: Document) -> None:
    """The reader is strict by itself, without the schema's library."""
    broken = copy.deepcopy(document)
    damage(broken)
    with pytest.raises(MalformedError):
        parse(broken)
