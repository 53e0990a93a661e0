"""Kite's binary frames: index, split, join, cut and decode them.

A frame is a big-endian count of packets (2 bytes), then for each packet its length (2 bytes) and its bytes. A frame of
one byte is a heartbeat. Source: https://kite.trade/docs/connect/v3/websocket/#message-structure.

A relay needs only `index`, `split`, `cut` and `join`: they let packets of any length of 8 bytes or more pass, so that
what Kite may add later flows on to clients who know it. `decode` knows the five lengths there are.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from struct import Struct
from struct import error as StructError  # noqa: N812 - it is a class
from typing import NamedTuple

from kite_relay.domain.errors import MalformedError


class Mode(StrEnum):
    """How much of an instrument a client wants, from least to most."""

    LTP = "ltp"
    QUOTE = "quote"
    FULL = "full"

    @property
    def rank(self) -> int:
        """Order the modes: a packet of a higher mode holds all that a lower one holds."""
        return _RANKS[self]


_RANKS = {Mode.LTP: 0, Mode.QUOTE: 1, Mode.FULL: 2}

HEARTBEAT = b"\x00"
"""What Kite sends every second: a frame with no room for a packet."""
MAX_PACKETS = 0xFFFF
"""What the count of a frame can say."""
MIN_PACKET = 8
"""Instrument token and last price: no packet holds less."""

LTP, INDEX_QUOTE, INDEX_FULL, QUOTE, FULL = 8, 28, 32, 44, 184
"""The lengths of Kite's packets. Each shorter one is the beginning of the longer ones of its kind."""

_CUTS = {
    LTP: (LTP, LTP, LTP),
    INDEX_QUOTE: (LTP, INDEX_QUOTE, INDEX_QUOTE),
    INDEX_FULL: (LTP, INDEX_QUOTE, INDEX_FULL),
    QUOTE: (LTP, QUOTE, QUOTE),
    FULL: (LTP, QUOTE, FULL),
}
"""By length: how much of the packet a client of each mode gets."""
_MODES = {LTP: Mode.LTP, INDEX_QUOTE: Mode.QUOTE, INDEX_FULL: Mode.FULL, QUOTE: Mode.QUOTE, FULL: Mode.FULL}

_INDICES = 9
_DIVISORS = {3: 10_000_000.0, 6: 10_000.0, 12: 10_000.0}
"""By segment, the last byte of the instrument token: cds has seven decimals, bcd and nco four, all others two."""


class Reason(StrEnum):
    """Why a frame was rejected."""

    TRUNCATED = "truncated"
    TRAILING = "trailing"
    SHORT_PACKET = "short_packet"
    UNKNOWN_LENGTH = "unknown_length"


class FrameError(MalformedError):
    """A frame that is not what Kite promises.

    Args:
        reason: the name of what is wrong; metrics count by it.
        detail: where, in a few words.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"frame rejected, {reason.value}: {detail}")
        self.reason = reason


_COUNT = Struct(">H")
_HEAD = Struct(">HI")

RUN = 64
"""Packets that are split together: most of a frame's are of one length, and two calls take all of those apart."""
FEW = 4
"""Fewer than so many are quicker one by one."""


def index(frame: bytes) -> list[tuple[int, int, int]]:
    """Find the packets of a frame without touching them.

    Returns:
        (instrument token, offset, length) of each packet, in order; nothing for a heartbeat.

    Raises:
        FrameError: count, lengths and bytes do not agree, or a packet is too short to hold a price.
    """
    size = len(frame)
    if size <= len(HEARTBEAT):
        return []
    (count,) = _COUNT.unpack_from(frame)
    found = []
    place = 2
    unpack = _HEAD.unpack_from
    for number in range(count):
        if place + _HEAD.size > size:
            raise FrameError(Reason.TRUNCATED, f"packet {number} of {count} begins past the end")
        length, token = unpack(frame, place)
        if length < MIN_PACKET:
            raise FrameError(Reason.SHORT_PACKET, f"packet {number} has {length} bytes")
        place += 2
        found.append((token, place, length))
        place += length
    if place > size:
        raise FrameError(Reason.TRUNCATED, f"{place - size} bytes are missing")
    if place < size:
        raise FrameError(Reason.TRAILING, f"{size - place} bytes follow the last packet")
    return found


def split(frame: bytes) -> list[tuple[int, bytes]]:
    """Take a frame apart into (instrument token, packet); nothing for a heartbeat.

    Raises:
        FrameError: as `index`.
    """
    return dissect(frame)[0]


def dissect(frame: bytes) -> tuple[list[tuple[int, bytes]], bytearray]:
    """Take a frame apart as `split` does; gives the segment of each packet, too: the last byte of its token.

    Raises:
        FrameError: as `index`.
    """
    found: list[tuple[int, bytes]] = []
    segments = bytearray()
    size = len(frame)
    if size <= len(HEARTBEAT):
        return found, segments
    place = 2
    try:
        (left,) = _COUNT.unpack_from(frame)
        while left:
            count = min(left, RUN)
            left -= count
            end = _take_run(frame, place, count, found, segments) if count >= FEW else 0
            place = end or _take_singly(frame, place, count, found, segments)
    except StructError:
        place = -1
    if place != size:
        index(frame)  # says what is wrong with it
    return found, segments


def _take_run(frame: bytes, place: int, count: int, found: list[tuple[int, bytes]], segments: bytearray) -> int:
    """Take packets of one length together; returns where the next one begins, 0 if they have several lengths.

    Raises:
        struct.error: the frame ends before the first of them does.
    """
    length: int = _COUNT.unpack_from(frame, place)[0]
    step = 2 + length
    end = place + count * step
    if length < MIN_PACKET or end > len(frame):
        return 0
    for byte in (place, place + 1):
        if frame[byte:end:step] != frame[byte : byte + 1] * count:
            return 0
    tokens, packets = _run(length, count)
    found += zip(tokens(frame, place), packets(frame, place), strict=True)
    segments += frame[place + 5 : end : step]
    return end


@lru_cache(maxsize=256)
def _run(length: int, count: int) -> tuple[Callable[..., tuple[int, ...]], Callable[..., tuple[bytes, ...]]]:
    """Give what reads the tokens, and what reads the packets, of so many packets of one length."""
    return (
        Struct(">" + f"2xI{length - 4}x" * count).unpack_from,
        Struct(">" + f"2x{length}s" * count).unpack_from,
    )


def _take_singly(frame: bytes, place: int, count: int, found: list[tuple[int, bytes]], segments: bytearray) -> int:
    """Take packets of any lengths; returns where the next one begins.

    Raises:
        struct.error: the frame ends before its packets do.
    """
    unpack = _HEAD.unpack_from
    for _ in range(count):
        length, token = unpack(frame, place)
        if length < MIN_PACKET:
            raise StructError
        place += 2
        found.append((token, frame[place : place + length]))
        segments.append(token & 0xFF)
        place += length
    return place


def join(packets: Iterable[bytes]) -> bytes:
    """Put packets together into one frame.

    Raises:
        ValueError: more packets than a frame can count.
    """
    pieces = [piece for packet in packets for piece in (_COUNT.pack(len(packet)), packet)]
    count = len(pieces) // 2
    if count > MAX_PACKETS:
        raise ValueError(f"a frame holds {MAX_PACKETS} packets at most, not {count}")
    return b"".join((_COUNT.pack(count), *pieces))


def cut(packet: bytes, mode: Mode) -> bytes:
    """Give the part of a packet that a client of this mode gets: all, if it holds less or is of a new kind."""
    cuts = _CUTS.get(len(packet))
    return packet[: cuts[mode.rank]] if cuts else packet


def mode_of(packet: bytes) -> Mode | None:
    """Tell which mode a packet answers; None for a length that Kite does not document."""
    return _MODES.get(len(packet))


class Ohlc(NamedTuple):
    """The day's prices; `close` is the previous day's."""

    open: float
    high: float
    low: float
    close: float


class Offer(NamedTuple):
    """One level of the market depth."""

    quantity: int
    price: float
    orders: int


class Tick(NamedTuple):
    """One decoded packet, named as Kite's own clients name it; what the mode does not carry is None. Instants: UTC."""

    instrument_token: int
    mode: Mode
    tradable: bool
    last_price: float
    ohlc: Ohlc | None = None
    change: float | None = None
    last_traded_quantity: int | None = None
    average_traded_price: float | None = None
    volume_traded: int | None = None
    total_buy_quantity: int | None = None
    total_sell_quantity: int | None = None
    last_trade_time: datetime | None = None
    oi: int | None = None
    oi_day_high: int | None = None
    oi_day_low: int | None = None
    exchange_timestamp: datetime | None = None
    buy: tuple[Offer, ...] = ()
    sell: tuple[Offer, ...] = ()


_INDEX = Struct(">7I")
_QUOTE = Struct(">11I")
_TAIL = Struct(">5I")
_TIME = Struct(">I")
_OFFER = Struct(">IIH2x")
_DEPTH_START = 64
_DEPTH_LEVELS = 5


def decode(frame: bytes) -> list[Tick]:
    """Read every packet of a frame; nothing for a heartbeat.

    Raises:
        FrameError: as `index`, or a packet has a length that Kite does not document.
    """
    return [decode_packet(packet) for _, packet in split(frame)]


def decode_packet(packet: bytes) -> Tick:
    """Read one packet.

    Raises:
        FrameError: it has a length that Kite does not document.
    """
    mode = mode_of(packet)
    if mode is None:
        raise FrameError(Reason.UNKNOWN_LENGTH, f"a packet of {len(packet)} bytes")
    token, price = _INDEX.unpack_from(packet.ljust(INDEX_QUOTE))[:2]
    segment = token & 0xFF
    divisor = _DIVISORS.get(segment, 100.0)
    tradable = segment != _INDICES
    if len(packet) == LTP:
        return Tick(token, mode, tradable, price / divisor)
    if len(packet) in (INDEX_QUOTE, INDEX_FULL):
        return _decode_index(packet, mode, tradable=tradable, divisor=divisor)
    return _decode_traded(packet, mode, tradable=tradable, divisor=divisor)


def _change(last_price: float, close: float) -> float:
    """Tell the change since the previous close in percent, as Kite's clients do; 0 when there is no close."""
    return (last_price - close) * 100 / close if close else 0.0


def _instant(packet: bytes, offset: int) -> datetime:
    return datetime.fromtimestamp(_TIME.unpack_from(packet, offset)[0], UTC)


def _decode_index(packet: bytes, mode: Mode, *, tradable: bool, divisor: float) -> Tick:
    token, last, high, low, opened, close, _ = _INDEX.unpack_from(packet)
    return Tick(
        token,
        mode,
        tradable,
        last / divisor,
        ohlc=Ohlc(opened / divisor, high / divisor, low / divisor, close / divisor),
        change=_change(last / divisor, close / divisor),
        exchange_timestamp=_instant(packet, INDEX_QUOTE) if mode is Mode.FULL else None,
    )


def _decode_traded(packet: bytes, mode: Mode, *, tradable: bool, divisor: float) -> Tick:
    token, last, quantity, average, volume, buys, sells, opened, high, low, close = _QUOTE.unpack_from(packet)
    tail = _TAIL.unpack_from(packet, QUOTE) if mode is Mode.FULL else None
    depth = _decode_depth(packet, divisor)
    return Tick(
        token,
        mode,
        tradable,
        last / divisor,
        ohlc=Ohlc(opened / divisor, high / divisor, low / divisor, close / divisor),
        change=_change(last / divisor, close / divisor),
        last_traded_quantity=quantity,
        average_traded_price=average / divisor,
        volume_traded=volume,
        total_buy_quantity=buys,
        total_sell_quantity=sells,
        last_trade_time=datetime.fromtimestamp(tail[0], UTC) if tail else None,
        oi=tail[1] if tail else None,
        oi_day_high=tail[2] if tail else None,
        oi_day_low=tail[3] if tail else None,
        exchange_timestamp=datetime.fromtimestamp(tail[4], UTC) if tail else None,
        buy=depth[:_DEPTH_LEVELS],
        sell=depth[_DEPTH_LEVELS:],
    )


def _decode_depth(packet: bytes, divisor: float) -> tuple[Offer, ...]:
    levels = _OFFER.iter_unpack(memoryview(packet)[_DEPTH_START:])
    return tuple(Offer(quantity, price / divisor, orders) for quantity, price, orders in levels)
