"""The instruments that the simulator knows: the real tokens of well-known ones, and thousands of made-up ones.

The list is the same for every seed; only the expiry dates follow the day it is made for.
Source of the columns and of the token's layout (the low byte is the segment): https://kite.trade/docs/connect/v3/market-quotes/#instruments.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

NSE, NFO, CDS, BSE, BFO, BCD, MCX, INDICES, NCO = 1, 2, 3, 4, 5, 6, 7, 9, 12
EXCHANGES = {NSE: "NSE", NFO: "NFO", CDS: "CDS", BSE: "BSE", BFO: "BFO", BCD: "BCD", MCX: "MCX", NCO: "NCO"}
DIVISORS = {CDS: 10_000_000, BCD: 10_000, NCO: 10_000}
"""How many of a packet's price units make one rupee; 100 everywhere else."""

COLUMNS = (
    *("instrument_token", "exchange_token", "tradingsymbol", "name", "last_price", "expiry"),
    *("strike", "tick_size", "lot_size", "instrument_type", "segment", "exchange"),
)

_INDICES = (
    (256265, "NSE", "NIFTY 50", 25_960.0),
    (260105, "NSE", "NIFTY BANK", 58_860.0),
    (257801, "NSE", "NIFTY FIN SERVICE", 27_330.0),
    (264969, "NSE", "INDIA VIX", 17.0),
    (265, "BSE", "SENSEX", 84_900.0),
    (274441, "BSE", "BANKEX", 66_100.0),
)
_SHARES = """
738561 RELIANCE 1536 | 408065 INFY 1550 | 2953217 TCS 3140 | 341249 HDFCBANK 1000 | 779521 SBIN 972
1270529 ICICIBANK 1366 | 424961 ITC 404 | 1510401 AXISBANK 1270 | 492033 KOTAKBANK 2085 | 2939649 LT 4010
356865 HINDUNILVR 2430 | 2714625 BHARTIARTL 2160 | 2815745 MARUTI 15980 | 60417 ASIANPAINT 2870 | 897537 TITAN 3900
969473 WIPRO 246 | 81153 BAJFINANCE 1003 | 857857 SUNPHARMA 1780 | 2977281 NTPC 326 | 3834113 POWERGRID 276
633601 ONGC 247
2952193 ULTRACEMCO 11630 | 4598529 NESTLEIND 1270 | 1850625 HCLTECH 1600 | 3465729 TECHM 1460 | 3001089 JSWSTEEL 1120
895745 TATASTEEL 168 | 5215745 COALINDIA 378 | 3861249 ADANIPORTS 1490 | 177665 CIPLA 1510 | 225537 DRREDDY 1240
348929 HINDALCO 780 | 5633 ACC 1840
"""
_MADE_SHARES = 3200
_STRIKES = 60
_UNDERLYINGS = (
    (NFO, "NIFTY", 25_950, 50, 75),
    (NFO, "BANKNIFTY", 58_900, 100, 35),
    (BFO, "SENSEX", 84_900, 100, 20),
)
_CURRENCIES = (("USDINR", 89.1), ("EURINR", 102.8), ("GBPINR", 116.7), ("JPYINR", 57.0))
_COMMODITIES = (
    ("GOLD", 123_800.0),
    ("SILVER", 154_000.0),
    ("CRUDEOIL", 5_180.0),
    ("NATURALGAS", 405.0),
    ("COPPER", 1_003.0),
)
_MONTHS = 12
_FIRST_MADE = 100_000
"""Exchange tokens of the made-up instruments start here, beyond those of real shares."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """One line of the dump; `price` is where its walk starts, in rupees."""

    token: int
    symbol: str
    name: str
    kind: str
    exchange: str
    price: float
    expiry: date | None = None
    strike: float = 0.0
    lot_size: int = 1

    @property
    def segment(self) -> int:
        """The low byte of the token."""
        return self.token & 0xFF

    @property
    def is_index(self) -> bool:
        """Whether it is an index, whose packets are shorter."""
        return self.segment == INDICES

    @property
    def divisor(self) -> int:
        """How many price units make one rupee."""
        return DIVISORS.get(self.segment, 100)

    def row(self) -> list[object]:
        """Give its line of the dump."""
        segment = "INDICES" if self.is_index else self.exchange
        if self.kind != "EQ":
            segment += "-FUT" if self.kind == "FUT" else "-OPT"
        expiry = self.expiry.isoformat() if self.expiry else ""
        tick = 0 if self.is_index else 0.01
        lot = 0 if self.is_index else self.lot_size
        identity = [self.token, self.token >> 8, self.symbol, self.name]
        return [*identity, 0.0, expiry, self.strike, tick, lot, self.kind, segment, self.exchange]


class Catalog:
    """All instruments, by token and by `EXCHANGE:SYMBOL`.

    Args:
        today: the day whose contracts are listed.
    """

    def __init__(self, today: date) -> None:
        self.by_token = {item.token: item for item in _all(today)}
        self.by_name = {f"{item.exchange}:{item.symbol}": item for item in self.by_token.values()}

    def dump(self, exchange: str | None = None) -> str:
        """Write the CSV of one exchange, or of all."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        rows = (item.row() for item in self.by_token.values() if exchange in (None, item.exchange))
        writer.writerows(rows)
        return text.getvalue()


def _all(today: date) -> Iterator[Instrument]:
    for token, exchange, symbol, price in _INDICES:
        yield Instrument(token, symbol, symbol, "EQ", exchange, price)
    shares = list(_shares())
    yield from shares
    expiries = list(_expiries(today))
    yield from _number(NFO, _FIRST_MADE, _share_futures(shares[:200], expiries[:3]))
    for segment, name, price, step, lot in _UNDERLYINGS:
        yield from _number(segment, _FIRST_MADE + 10_000 + price, _chain(name, price, step, lot, expiries[:3]))
    for segment in (CDS, BCD):
        yield from _number(segment, _FIRST_MADE, _futures(_CURRENCIES, 1, expiries))
    for segment in (MCX, NCO):
        yield from _number(segment, _FIRST_MADE, _futures(_COMMODITIES, 100, expiries))


def _shares() -> Iterator[Instrument]:
    for text in _SHARES.replace("\n", "|").split("|"):
        if not text.strip():
            continue
        token, symbol, price = text.split()
        yield Instrument(int(token), symbol, symbol, "EQ", "NSE", float(price))
    for number in range(_MADE_SHARES):
        symbol, start = f"SHARE{number:04}", 250.0 + number * 7919 % 4700
        yield Instrument((_FIRST_MADE + number) << 8 | NSE, symbol, f"MADE-UP SHARE {number}", "EQ", "NSE", start)
        yield Instrument((_FIRST_MADE + number) << 8 | BSE, symbol, f"MADE-UP SHARE {number}", "EQ", "BSE", start)


Draft = tuple[str, str, str, float, date, float, int]
"""What a made-up contract is before it has a token: symbol, name, kind, price, expiry, strike, lot size."""


def _number(segment: int, first: int, drafts: Iterable[Draft]) -> Iterator[Instrument]:
    for number, (symbol, name, kind, price, expiry, strike, lot) in enumerate(drafts, first):
        yield Instrument(number << 8 | segment, symbol, name, kind, EXCHANGES[segment], price, expiry, strike, lot)


def _share_futures(shares: Iterable[Instrument], expiries: list[date]) -> Iterator[Draft]:
    for share in shares:
        if share.exchange == "NSE":
            yield from _futures([(share.symbol, share.price)], 500, expiries)


def _futures(goods: Iterable[tuple[str, float]], lot: int, expiries: list[date]) -> Iterator[Draft]:
    for name, price in goods:
        for expiry in expiries:
            yield f"{name}{_month(expiry)}FUT", name, "FUT", price, expiry, 0.0, lot


def _chain(name: str, price: int, step: int, lot: int, expiries: list[date]) -> Iterator[Draft]:
    yield from _futures([(name, float(price))], lot, expiries)
    for expiry in expiries:
        for number in range(-_STRIKES, _STRIKES + 1):
            strike = price + number * step
            for kind, worth in (("CE", price - strike), ("PE", strike - price)):
                premium = 60.0 + max(worth, 0) + step * 0.1 * (_STRIKES - abs(number))
                yield f"{name}{_month(expiry)}{strike}{kind}", name, kind, premium, expiry, float(strike), lot


def _expiries(today: date) -> Iterator[date]:
    """Give the last Tuesday of this month, if it is still to come, and of the months after it."""
    first = today.replace(day=1)
    found = 0
    while found < _MONTHS:
        following = (first + timedelta(days=32)).replace(day=1)
        last = following - timedelta(days=1)
        tuesday = last - timedelta(days=(last.weekday() - 1) % 7)
        if tuesday >= today:
            found += 1
            yield tuesday
        first = following


def _month(day: date) -> str:
    months = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
    return f"{day.year % 100:02}{months[day.month - 1]}"
