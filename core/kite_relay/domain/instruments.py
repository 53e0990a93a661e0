"""Kite's list of instruments: what a name means, and what a few letters may mean.

Source: https://kite.trade/docs/connect/v3/market-quotes/#instruments. The list has about 100,000 lines and is new every
morning. It is kept as one text that is searched by the C library's own hand, not as 100,000 objects.
"""

import csv
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

from kite_relay.domain.errors import ConfigurationError, MalformedError

COLUMNS = ("instrument_token", "tradingsymbol", "name", "instrument_type", "segment", "exchange")
MAX_LOOKED_AT = 400
"""Hits that are ranked at most: of "NIFTY" there are tens of thousands, and the first are the best."""
MAX_TOKEN = 0xFFFF_FFFF
"""What the four bytes of an instrument token hold; 0 is none."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """One instrument, as far as a person needs it."""

    token: int
    exchange: str
    symbol: str
    name: str

    @property
    def key(self) -> str:
        """Name it as Kite's own calls do: `NSE:INFY`."""
        return f"{self.exchange}:{self.symbol}"

    def to_body(self) -> dict[str, Any]:
        """Give it as JSON."""
        return {"token": self.token, "exchange": self.exchange, "symbol": self.symbol, "name": self.name}


class Catalog:
    """All instruments, the likeliest to be meant first.

    Args:
        instruments: in the order in which equal matches are offered.
    """

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._tokens: list[int] = []
        self._lines: list[str] = []
        self._starts: list[int] = []
        place, folded = 1, []
        for one in instruments:
            self._tokens.append(one.token)
            self._lines.append(f"{one.key}\t{one.name}")
            self._starts.append(place)
            folded.append(self._lines[-1].lower())
            place += len(folded[-1]) + 1
        self._text = "\n" + "\n".join(folded) + "\n"

    def __len__(self) -> int:
        return len(self._tokens)

    @classmethod
    def parse(cls, dump: str) -> Self:
        """Read Kite's CSV.

        Raises:
            MalformedError: a column is missing, a token is no number, or there is no line at all; says which.
        """
        reader = csv.reader(dump.splitlines())
        header = next(reader, [])
        if missing := [name for name in COLUMNS if name not in header]:
            raise MalformedError(f"the list of instruments has no column {missing[0]!r}")
        places = [header.index(name) for name in COLUMNS]
        rows = sorted(_rows(reader, places), key=lambda row: row[0])
        if not rows:
            raise MalformedError("the list of instruments is empty")
        return cls(one for _, one in rows)

    def find(self, text: str, limit: int = 12) -> list[Instrument]:
        """Find what a few letters may mean: symbols that begin with them first, then indices, shares, contracts."""
        wanted = " ".join(text.lower().split())
        if not wanted:
            return []
        hits = []
        for row in self._rows_with(wanted):
            exchange, _, rest = self._lines[row].lower().partition(":")
            symbol, _, _ = rest.partition("\t")
            begins = symbol.startswith(wanted) or f"{exchange}:{symbol}".startswith(wanted)
            hits.append((symbol != wanted, not begins, row))
            if len(hits) >= MAX_LOOKED_AT:
                break
        return [self._instrument(row) for *_, row in sorted(hits)[:limit]]

    def resolve(self, key: str) -> Instrument:
        """Give the instrument of `NSE:INFY`; a name without an exchange is looked for at NSE, then BSE, then anywhere.

        Raises:
            ConfigurationError: there is none, with what was perhaps meant.
        """
        key = " ".join(key.split())
        prefixes = ("",) if ":" in key else ("nse:", "bse:")
        for prefix in prefixes:
            place = self._text.find(f"\n{prefix}{key.lower()}\t")
            if place >= 0:
                return self._instrument(bisect_right(self._starts, place + 1) - 1)
        exact = [one for one in self.find(key) if one.symbol.lower() == key.lower()]
        if exact:
            return exact[0]
        near = ", ".join(one.key for one in self.find(key.partition(":")[2] or key, 3))
        raise ConfigurationError(f"there is no instrument {key!r}" + (f"; did you mean {near}?" if near else ""))

    def _rows_with(self, wanted: str) -> Iterator[int]:
        place = self._text.find(wanted)
        while place >= 0:
            row = bisect_right(self._starts, place) - 1
            yield row
            following = self._starts[row + 1] if row + 1 < len(self._starts) else len(self._text)
            place = self._text.find(wanted, following)

    def _instrument(self, row: int) -> Instrument:
        key, _, name = self._lines[row].partition("\t")
        exchange, _, symbol = key.partition(":")
        return Instrument(self._tokens[row], exchange, symbol, name)


_EXCHANGES = ("NSE", "BSE", "NFO", "BFO")


def _rank(kind: str, segment: str, exchange: str) -> tuple[int, int]:
    """Order: indices, shares, futures, options; and the exchanges as traders here think of them."""
    kinds = {"EQ": 1, "FUT": 2}.get(kind, 3)
    place = _EXCHANGES.index(exchange) if exchange in _EXCHANGES else len(_EXCHANGES)
    return (0 if segment == "INDICES" else kinds), place


def _rows(reader: Iterable[list[str]], places: list[int]) -> Iterator[tuple[tuple[int, int], Instrument]]:
    for row in reader:
        if len(row) <= max(places):
            raise MalformedError(f"a line of the list of instruments is short: {','.join(row)[:80]!r}")
        token, symbol, name, kind, segment, exchange = (row[place] for place in places)
        if not token.isdecimal() or not 0 < int(token) <= MAX_TOKEN:
            raise MalformedError(f"the list of instruments holds a token that is none: {token[:40]!r}")
        yield _rank(kind, segment, exchange), Instrument(int(token), exchange, symbol, name)
