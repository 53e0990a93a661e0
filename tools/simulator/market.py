"""Prices that walk: one quote per instrument, moved by the clock's beat, the same for the same seed."""

from tools.simulator.catalog import Catalog, Instrument
from tools.simulator.packets import FULL_LAYOUT, INDEX_LAYOUT, LTP, QUOTE, SPAN, grain, place
from tools.simulator.packets import INDEX_QUOTE as INDEX_QUOTE_SIZE

MODES = ("ltp", "quote", "full")
_MULTIPLIER, _INCREMENT, _MASK = 1103515245, 12345, 0x7FFFFFFF
_LEVELS = 5
_DEPTH_START = 16
_DEPTH_ROW = 4


class Quote:
    """One instrument's state, always packed: a packet is a slice.

    Args:
        instrument: what it is the quote of.
        seed: with the instrument's token it decides the whole walk.
        now: epoch seconds of its first trade.
    """

    def __init__(self, instrument: Instrument, seed: int, now: int) -> None:
        self.instrument = instrument
        self.number = 0
        self._dice = (seed * 2_654_435_761 + instrument.token * 40_503 + 1) & _MASK
        self._grain = grain(instrument.segment)
        units = round(instrument.price * instrument.divisor)
        self._home = self._stretch = max(1, units // (self._grain * SPAN))
        self._spent = 0
        self._close = units + (self._roll() % 401 - 200) * units // 20_000
        self._open = self._high = self._low = self._price_of(1)
        is_future = instrument.expiry is not None
        self._interest = 100_000 + self._roll() % 900_000 if is_future else 0
        self._depth = [0] * (2 * _LEVELS * _DEPTH_ROW)
        self._buffer = bytearray(INDEX_LAYOUT.size if instrument.is_index else FULL_LAYOUT.size)
        self._pack = self._pack_index if instrument.is_index else self._pack_full
        self.move(now)

    def move(self, now: int) -> None:
        """Make one update: a trade of one unit, and the order book around it."""
        self.number += 1
        self._wander()
        price = self._price_of(self.number)
        self._spent += price
        self._high = max(self._high, price)
        self._low = min(self._low, price)
        self._pack(price, now)

    def packet(self, mode: str) -> bytes:
        """Give the latest packet in a mode."""
        if mode == "full":
            return bytes(self._buffer)
        if mode == "ltp":
            return bytes(self._buffer[:LTP])
        return bytes(self._buffer[: INDEX_QUOTE_SIZE if self.instrument.is_index else QUOTE])

    @property
    def last_price(self) -> float:
        """The last price in rupees."""
        return self._price_of(self.number) / self.instrument.divisor

    @property
    def ohlc(self) -> dict[str, float]:
        """The day's four prices in rupees."""
        prices = {"open": self._open, "high": self._high, "low": self._low, "close": self._close}
        return {name: price / self.instrument.divisor for name, price in prices.items()}

    def _roll(self) -> int:
        self._dice = (self._dice * _MULTIPLIER + _INCREMENT) & _MASK
        return self._dice >> 8

    def _wander(self) -> None:
        """Now and then go to a neighbouring stretch of the price grid, and rather back home than away from it."""
        roll = self._roll()
        if roll % 16 or self.number == 1:
            return
        away = self._stretch - self._home
        up = (roll >> 4) % 8 >= 4 + max(-3, min(3, away))
        self._stretch = max(1, self._stretch + (1 if up else -1))

    def _price_of(self, number: int) -> int:
        return self._grain * (SPAN * self._stretch + place(number))

    def _pack_index(self, price: int, now: int) -> None:
        prices = (price, self._high, self._low, self._open, self._close)
        INDEX_LAYOUT.pack_into(self._buffer, 0, self.instrument.token, *prices, price - self._close, now)

    def _pack_full(self, price: int, now: int) -> None:
        roll = self._roll()
        depth, step = self._depth, self._grain
        for level in range(_LEVELS):
            buy, sell = level * _DEPTH_ROW, (level + _LEVELS) * _DEPTH_ROW
            quantity = 1 + (roll >> level) % 997
            depth[buy : buy + 3] = (quantity, max(0, price - (level + 1) * step), 1 + quantity % 9)
            depth[sell : sell + 3] = (1 + quantity * 7 % 991, price + (level + 1) * step, 1 + quantity % 7)
        average = self._spent // self.number
        interest = self._interest
        FULL_LAYOUT.pack_into(
            self._buffer,
            0,
            *(
                self.instrument.token,
                price,
                1,
                average,
                self.number,
                50_000 + roll % 50_000,
                50_000 + roll // 3 % 50_000,
            ),
            *(self._open, self._high, self._low, self._close),
            *(now, interest, interest, interest, now),
            *depth,
        )


class Market:
    """Every quote that anyone ever asked for; they go on moving when nobody listens, as a market does.

    Args:
        catalog: the instruments that exist.
        seed: decides every walk.
    """

    def __init__(self, catalog: Catalog, seed: int) -> None:
        self.catalog = catalog
        self._seed = seed
        self._quotes: dict[int, Quote] = {}
        self._ring: list[Quote] = []
        self._next = 0
        self._credit = 0.0

    def __len__(self) -> int:
        return len(self._ring)

    def quote(self, token: int, now: int) -> Quote | None:
        """Find a quote, starting its walk if need be; None for a token that does not exist."""
        found = self._quotes.get(token)
        if found is None and (instrument := self.catalog.by_token.get(token)):
            found = self._quotes[token] = Quote(instrument, self._seed, now)
            self._ring.append(found)
        return found

    def beat(self, updates: float, frames: float, now: int) -> list[Quote]:
        """Move the quotes whose turn it is: a second has `frames` beats, and each quote moves `updates` times in it."""
        self._credit = min(self._credit + len(self._ring) * updates / frames, float(len(self._ring)))
        due = int(self._credit)
        self._credit -= due
        return [self._turn(now) for _ in range(due)]

    def move_all(self, now: int) -> list[Quote]:
        """Move every quote once."""
        return [self._turn(now) for _ in range(len(self._ring))]

    def _turn(self, now: int) -> Quote:
        quote = self._ring[self._next % len(self._ring)]
        self._next = (self._next + 1) % len(self._ring)
        quote.move(now)
        return quote
