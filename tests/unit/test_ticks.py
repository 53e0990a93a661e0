"""Kite's frames: taken apart, cut to a mode, put together and read."""

import struct
from datetime import UTC, datetime

import pytest

from kite_relay.domain.errors import MalformedError
from kite_relay.domain.ticks import (
    FULL,
    HEARTBEAT,
    MAX_PACKETS,
    RUN,
    FrameError,
    Mode,
    Offer,
    Ohlc,
    Reason,
    Tick,
    cut,
    decode,
    decode_packet,
    dissect,
    index,
    join,
    mode_of,
    split,
)

INFY = 408065
NIFTY = 256265
AT = 1_625_461_887
"""2021-07-05T10:41:27+05:30."""
QUOTED = struct.pack(
    ">11I", INFY, 157370, 7, 157037, 1192471, 256443, 363009, 156915, 157500, 156105, 156780
)  # the values of Kite's published example of a full tick
DEPTH = [(5, 157340, 1), (140, 157300, 2), (2, 157295, 1), (219, 157290, 7), (50, 157285, 1)]
DEPTH += [
    (172, 157370, 3),
    (44, 157375, 3),
    (302, 157385, 3),
    (141, 157390, 2),
    (724, 157395, 5),
]
FULL_PACKET = QUOTED + struct.pack(">5I", AT, 0, 9, 1, AT) + b"".join(struct.pack(">IIHH", *o, 0) for o in DEPTH)
INDEX_PACKET = struct.pack(">8I", NIFTY, 2600000, 2610000, 2590000, 2595000, 2580000, 20000, AT)


def test_a_full_packet_is_read_as_kites_example_says() -> None:
    """Every field of Kite's published example comes out with its published value."""
    instant = datetime(2021, 7, 5, 5, 11, 27, tzinfo=UTC)
    assert decode(join([FULL_PACKET])) == [
        Tick(
            INFY,
            Mode.FULL,
            tradable=True,
            last_price=1573.7,
            ohlc=Ohlc(1569.15, 1575.0, 1561.05, 1567.8),
            change=(1573.7 - 1567.8) * 100 / 1567.8,
            last_traded_quantity=7,
            average_traded_price=1570.37,
            volume_traded=1192471,
            total_buy_quantity=256443,
            total_sell_quantity=363009,
            last_trade_time=instant,
            oi=0,
            oi_day_high=9,
            oi_day_low=1,
            exchange_timestamp=instant,
            buy=(
                Offer(5, 1573.4, 1),
                Offer(140, 1573.0, 2),
                Offer(2, 1572.95, 1),
                Offer(219, 1572.9, 7),
                Offer(50, 1572.85, 1),
            ),
            sell=(
                Offer(172, 1573.7, 3),
                Offer(44, 1573.75, 3),
                Offer(302, 1573.85, 3),
                Offer(141, 1573.9, 2),
                Offer(724, 1573.95, 5),
            ),
        )
    ]


def test_a_quote_packet_stops_before_the_times() -> None:
    """A quote has prices and volumes, no time and no depth."""
    tick = decode_packet(QUOTED)
    assert (tick.mode, tick.volume_traded, tick.exchange_timestamp, tick.oi) == (Mode.QUOTE, 1192471, None, None)
    assert (tick.buy, tick.sell) == ((), ())


def test_an_ltp_packet_is_a_price() -> None:
    """Eight bytes: token and price."""
    assert decode_packet(QUOTED[:8]) == Tick(INFY, Mode.LTP, tradable=True, last_price=1573.7)


def test_an_index_has_its_prices_in_another_order_and_is_not_tradable() -> None:
    """Indices send high, low, open, close; in full mode with the exchange's time."""
    tick = decode_packet(INDEX_PACKET)
    assert (tick.instrument_token, tick.mode, tick.tradable) == (NIFTY, Mode.FULL, False)
    assert (tick.last_price, tick.change) == (26000.0, (26000.0 - 25800.0) * 100 / 25800.0)
    assert tick.ohlc == Ohlc(open=25950.0, high=26100.0, low=25900.0, close=25800.0)
    assert tick.exchange_timestamp == datetime(2021, 7, 5, 5, 11, 27, tzinfo=UTC)
    quote = decode_packet(INDEX_PACKET[:28])
    assert (quote.mode, quote.exchange_timestamp) == (Mode.QUOTE, None)


@pytest.mark.parametrize("count", [*range(1, 40), RUN, RUN + 1, 2 * RUN + 2])
def test_a_run_of_equal_packets_is_taken_apart_like_any_other(count: int) -> None:
    """Alone, before and after others, and next to another length: as `index` sees it."""
    run = [struct.pack(">II", token, token + 1) for token in range(256, 256 + count)]
    for packets in (
        run,
        [FULL_PACKET, *run],
        [*run, FULL_PACKET],
        [*run, FULL_PACKET, *run],
        [*run, QUOTED, FULL_PACKET],
    ):
        frame = join(packets)
        assert [packet for _, packet in split(frame)] == packets
        assert split(frame) == [(token, frame[at : at + size]) for token, at, size in index(frame)]
        assert list(dissect(frame)[1]) == [packet[3] for packet in packets]
        for broken in (frame[:-1], frame + b"\0"):
            with pytest.raises(FrameError) as ours:
                split(broken)
            with pytest.raises(FrameError) as theirs:
                index(broken)
            assert ours.value.reason is theirs.value.reason


def test_no_close_is_no_change() -> None:
    """A new instrument has no close yet: its change is 0, not a division by zero."""
    assert decode_packet(struct.pack(">7I", NIFTY, 1, 1, 1, 1, 0, 0)).change == 0.0


@pytest.mark.parametrize(("segment", "price"), [(1, 12345.67), (3, 0.1234567), (6, 123.4567), (12, 123.4567)])
def test_each_segment_has_its_decimals(segment: int, price: float) -> None:
    """Currencies of NSE have seven decimals, of BSE and NSE's commodities four, all else two."""
    assert decode_packet(struct.pack(">II", 77 << 8 | segment, 1234567)).last_price == price


def test_values_past_2_31_stay_positive() -> None:
    """A volume of three billion is no negative number."""
    packet = bytearray(QUOTED)
    packet[16:20] = struct.pack(">I", 3_000_000_000)
    assert decode_packet(bytes(packet)).volume_traded == 3_000_000_000


@pytest.mark.parametrize("frame", [b"", HEARTBEAT, b"\x07", b"\x00\x00"])
def test_a_heartbeat_has_no_packets(frame: bytes) -> None:
    """One byte, whatever it is, or a count of zero."""
    assert index(frame) == []
    assert split(frame) == []
    assert decode(frame) == []


def test_index_tells_where_each_packet_lies() -> None:
    """Token, offset and length, in the frame's order."""
    frame = join([QUOTED[:8], INDEX_PACKET, FULL_PACKET])
    assert index(frame) == [(INFY, 4, 8), (NIFTY, 14, 32), (INFY, 48, FULL)]
    assert split(frame) == [(INFY, QUOTED[:8]), (NIFTY, INDEX_PACKET), (INFY, FULL_PACKET)]


@pytest.mark.parametrize(
    ("frame", "reason", "where"),
    [
        (join([FULL_PACKET])[:-1], Reason.TRUNCATED, "1 bytes are missing"),
        (join([QUOTED])[:8], Reason.TRUNCATED, "40 bytes are missing"),
        (join([QUOTED, QUOTED])[:50], Reason.TRUNCATED, "packet 1 of 2 begins past the end"),
        (b"\xff\xff", Reason.TRUNCATED, "packet 0 of 65535 begins past the end"),
        (join([QUOTED]) + b"\x00", Reason.TRAILING, "1 bytes follow the last packet"),
        (b"\x00\x00\x01", Reason.TRAILING, "1 bytes follow the last packet"),
        (b"\x00\x01\x00\x07" + bytes(7), Reason.SHORT_PACKET, "packet 0 has 7 bytes"),
    ],
)
def test_a_broken_frame_is_rejected_by_name(frame: bytes, reason: Reason, where: str) -> None:
    """The rejection says which rule was broken and where, and every function says the same."""
    for read in (index, split, decode):
        with pytest.raises(FrameError, match=f"frame rejected, {reason}: {where}") as caught:
            read(frame)
        assert caught.value.reason is reason
        assert isinstance(caught.value, MalformedError)


def test_an_unknown_kind_of_packet_passes_but_is_not_read() -> None:
    """What Kite may add later flows through the relay; only reading it is refused."""
    packet = FULL_PACKET + b"more"
    frame = join([packet])
    assert split(frame) == [(INFY, packet)]
    assert cut(packet, Mode.LTP) == packet
    assert mode_of(packet) is None
    with pytest.raises(FrameError, match="a packet of 188 bytes") as caught:
        decode(frame)
    assert caught.value.reason is Reason.UNKNOWN_LENGTH


@pytest.mark.parametrize(
    ("packet", "ltp", "quote", "full"),
    [
        (FULL_PACKET, 8, 44, 184),
        (QUOTED, 8, 44, 44),
        (INDEX_PACKET, 8, 28, 32),
        (INDEX_PACKET[:28], 8, 28, 28),
        (QUOTED[:8], 8, 8, 8),
    ],
)
def test_a_packet_is_cut_to_the_clients_mode(packet: bytes, ltp: int, quote: int, full: int) -> None:
    """A client of each mode gets what Kite would have sent it, or all there is."""
    assert [cut(packet, mode) for mode in Mode] == [packet[:ltp], packet[:quote], packet[:full]]
    assert mode_of(cut(packet, Mode.LTP)) is Mode.LTP


def test_a_frame_counts_no_further_than_two_bytes() -> None:
    """Joining more than a count can say is our bug, and said at once."""
    assert join([QUOTED[:8]] * MAX_PACKETS).startswith(b"\xff\xff")
    with pytest.raises(ValueError, match="65535"):
        join([QUOTED[:8]] * (MAX_PACKETS + 1))


def test_modes_are_ordered() -> None:
    """A higher mode holds all that a lower one holds."""
    assert sorted(Mode, key=lambda mode: mode.rank) == [Mode.LTP, Mode.QUOTE, Mode.FULL]
