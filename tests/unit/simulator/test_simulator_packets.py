"""What the simulator writes is what Kite writes, byte for byte; and every packet tells its sequence number."""

import base64
import struct
from datetime import UTC, date, datetime

import pytest

from kite_relay.domain.ticks import Mode, decode
from tools.simulator.catalog import BCD, CDS, EXCHANGES, INDICES, NCO, NSE, Catalog
from tools.simulator.market import Market
from tools.simulator.packets import FULL_LAYOUT, Tally, frame, place, sequence, split

TODAY = date(2026, 11, 24)
NOW = int(datetime(2026, 11, 24, 4, 0, tzinfo=UTC).timestamp())
CATALOG = Catalog(TODAY)
RELIANCE, NIFTY = 738561, 256265
BY_SEGMENT = {token & 0xFF: token for token in CATALOG.by_token}


def market(seed: int = 1) -> Market:
    """Make a market of its own."""
    return Market(CATALOG, seed)


def test_the_layout_is_the_published_one() -> None:
    """The fields of Zerodha's published full packet, packed by our layout, give its bytes."""
    published = base64.b64decode(
        "AAY6AQACZroAAAAHAAJlbQASMhcAA+m7AAWKAQACZPMAAmc8AAJhyQACZGxg4pR/AAAAAAAAAAAAAAAAYOKUfwAAAAUAAmacAAEAAAAAAIwAAmZ0"
        "AAIAAAAAAAIAAmZvAAEAAAAAANsAAmZqAAcAAAAAADIAAmZlAAEAAAAAAKwAAma6AAMAAAAAACwAAma/AAMAAAAAAS4AAmbJAAMAAAAAAI0AAmbO"
        "AAIAAAAAAtQAAmbTAAUAAA=="
    )
    at = int(datetime(2021, 7, 5, 5, 11, 27, tzinfo=UTC).timestamp())
    head = (408065, 157370, 7, 157037, 1192471, 256443, 363009, 156915, 157500, 156105, 156780, at, 0, 0, 0, at)
    buy = ((5, 157340, 1), (140, 157300, 2), (2, 157295, 1), (219, 157290, 7), (50, 157285, 1))
    sell = ((172, 157370, 3), (44, 157375, 3), (302, 157385, 3), (141, 157390, 2), (724, 157395, 5))
    offers = [number for offer in buy + sell for number in (*offer, 0)]
    assert FULL_LAYOUT.pack(*head, *offers) == published


@pytest.mark.parametrize(
    ("token", "sizes"), [(RELIANCE, {"ltp": 8, "quote": 44, "full": 184}), (NIFTY, {"ltp": 8, "quote": 28, "full": 32})]
)
def test_each_mode_has_its_length(token: int, sizes: dict[str, int]) -> None:
    """An index has shorter packets."""
    quote = market().quote(token, NOW)
    assert quote
    assert {mode: len(quote.packet(mode)) for mode in sizes} == sizes


@pytest.mark.parametrize("token", [RELIANCE, NIFTY, *BY_SEGMENT.values()])
def test_a_walk_is_plausible_in_every_segment(token: int) -> None:
    """Prices stay near their start, inside the day's high and low; the book stands around the last price."""
    prices = market()
    quote = prices.quote(token, NOW)
    assert quote
    for number in range(2, 3000):
        quote.move(NOW + number)
        (tick,) = decode(frame([quote.packet("full")]))
        assert tick.ohlc
        assert tick.instrument_token == token
        assert tick.ohlc.low <= min(tick.last_price, tick.ohlc.open)
        assert tick.ohlc.high >= max(tick.last_price, tick.ohlc.open)
        assert tick.last_price == pytest.approx(quote.instrument.price, rel=0.2, abs=8)
        assert tick.last_price == pytest.approx(quote.last_price)
        assert tick.exchange_timestamp == datetime.fromtimestamp(NOW + number, UTC)
        if tick.buy and tick.sell:
            assert tick.buy[0].price < tick.last_price < tick.sell[0].price
            assert [offer.price for offer in tick.buy] == sorted((o.price for o in tick.buy), reverse=True)


@pytest.mark.parametrize("token", [RELIANCE, NIFTY, *BY_SEGMENT.values()])
@pytest.mark.parametrize("mode", [mode.value for mode in Mode])
def test_every_packet_carries_its_number(token: int, mode: str) -> None:
    """Whatever its length and segment."""
    quote = market().quote(token, NOW)
    assert quote
    for number in range(1, 600):
        found, modulus = sequence(quote.packet(mode))
        assert found == number % modulus
        quote.move(NOW)


def test_a_stretch_of_256_numbers_has_256_places() -> None:
    """And neighbours are near: the price moves smoothly."""
    places = [place(number) for number in range(256)]
    assert sorted(places) == list(range(256))
    assert max(abs(a - b) for a, b in zip(places, places[1:] + places[:1], strict=True)) <= 2


@pytest.mark.parametrize("mode", ["ltp", "full"])
@pytest.mark.parametrize("token", [RELIANCE, NIFTY])
def test_loss_and_repetition_are_counted(token: int, mode: str) -> None:
    """Ten lost, three repeated, one out of order: no more and no less."""
    quote = market().quote(token, NOW)
    assert quote
    packets = []
    for _ in range(100):
        packets.append(quote.packet(mode))
        quote.move(NOW)
    tally = Tally()
    for packet in (*packets[:50], packets[49], packets[49], packets[49], *packets[60:], packets[90]):
        tally.message(frame([packet]))
    assert (tally.packets, tally.lost, tally.repeated, tally.backward) == (94, 10, 3, 1)


def test_the_same_seed_gives_the_same_prices() -> None:
    """In whatever order the instruments were asked for; another seed gives others."""
    one, two, other = market(1), market(1), market(2)
    for token in (RELIANCE, NIFTY):
        one.quote(token, NOW)
        other.quote(token, NOW)
    for token in (NIFTY, RELIANCE):
        two.quote(token, NOW)
    for prices in (one, two, other):
        for _ in range(50):
            prices.move_all(NOW)

    def packets(prices: Market) -> list[bytes]:
        return [quote.packet("full") for token in (RELIANCE, NIFTY) if (quote := prices.quote(token, NOW))]

    assert packets(one) == packets(two) != packets(other)


def test_the_beat_gives_every_instrument_its_updates() -> None:
    """100 instruments that move 3 times per second, in 10 messages: 30 updates each."""
    prices = market()
    tokens = list(CATALOG.by_token)[:100]
    for token in tokens:
        prices.quote(token, NOW)
    beats = [prices.beat(3, 10, NOW) for _ in range(100)]
    assert {len(moved) for moved in beats} == {30}
    assert {quote.number for token in tokens if (quote := prices.quote(token, NOW))} == {31}


def test_the_catalog_has_what_users_look_for() -> None:
    """Real tokens, every segment, and more than three sockets can carry."""
    names = {name: item.token for name, item in CATALOG.by_name.items()}
    assert names["NSE:NIFTY 50"] == 256265
    assert names["NSE:NIFTY BANK"] == 260105
    assert names["BSE:SENSEX"] == 265
    assert names["NSE:INDIA VIX"] == 264969
    assert names["NSE:RELIANCE"] == 738561
    assert set(BY_SEGMENT) == {INDICES, *EXCHANGES}
    assert len(CATALOG.by_token) == len(CATALOG.by_name) > 9000
    assert [CATALOG.by_token[BY_SEGMENT[s]].divisor for s in (NSE, CDS, BCD, NCO)] == [100, 10_000_000, 10_000, 10_000]


def test_a_frame_splits_into_its_packets() -> None:
    """And a heartbeat into none."""
    packets = [bytes(8), bytes(44)]
    assert list(split(frame(packets))) == packets
    assert list(split(b"\x00")) == []
    assert struct.unpack(">H", frame(packets)[:2]) == (2,)
