"""Kite's binary frames, written; and the sequence number that every packet of the simulator carries.

Source: https://kite.trade/docs/connect/v3/websocket/#message-structure. Everything is big-endian.

The sequence number counts an instrument's updates since the simulator started:

* quote and full of a tradable instrument (44 and 184 bytes): it is the *volume*. Each update is a trade of one unit.
* ltp (8 bytes) and index packets (28 and 32 bytes) have no room for a count, so the *last price* carries it modulo 256:
  prices stand on a grid of `grain` units, and their place within a stretch of 256 grid lines is `place(number)`, a
  triangle that climbs over the even lines and comes down over the odd ones. So the price moves smoothly, and each of
  256 successive numbers has a line of its own. Up to 191 lost updates in a row can be counted (`Tally`).
"""

import struct
from collections.abc import Iterable, Iterator

from tools.simulator.catalog import CDS, INDICES

LTP, INDEX_QUOTE, INDEX_FULL, QUOTE, FULL = 8, 28, 32, 44, 184
FULL_LAYOUT = struct.Struct(">16I" + "IIHH" * 10)
INDEX_LAYOUT = struct.Struct(">6IiI")
HEARTBEAT = b"\x00"
SPAN = 256
"""How many successive numbers a price can tell apart."""
_BACK = 64
"""A number that seems this far ahead of the last one, modulo SPAN, or nearer to it, is an older one."""

_WORD = struct.Struct(">I")
_SHORT = struct.Struct(">H")
_LENGTHS = {size: _SHORT.pack(size) for size in (LTP, INDEX_QUOTE, INDEX_FULL, QUOTE, FULL)}
_VOLUME_OFFSET = 16


def grain(segment: int) -> int:
    """Return the distance of two grid lines in price units."""
    return 2500 if segment == CDS else 1


def place(number: int) -> int:
    """Return the grid line, 0 to 255, that stands for a sequence number."""
    step = number % SPAN
    return 2 * step if step < SPAN // 2 else 2 * (SPAN - 1 - step) + 1


def _step(line: int) -> int:
    return SPAN - 1 - line // 2 if line % 2 else line // 2


def sequence(packet: bytes) -> tuple[int, int]:
    """Read the sequence number of a packet.

    Returns:
        The number and its modulus: 2**32 where the volume carries it, 256 where the price does.
    """
    if len(packet) in (QUOTE, FULL):
        return _WORD.unpack_from(packet, _VOLUME_OFFSET)[0], 1 << 32
    token, price = struct.unpack_from(">II", packet)
    return _step(price // grain(token & 0xFF) % SPAN), SPAN


def frame(packets: Iterable[bytes]) -> bytes:
    """Join packets into one binary message: their count, then each with its length before it."""
    parts = [b""]
    for packet in packets:
        parts += (_LENGTHS[len(packet)], packet)
    parts[0] = _SHORT.pack(len(parts) // 2)
    return b"".join(parts)


def split(message: bytes) -> Iterator[bytes]:
    """Give the packets of a well-formed binary message; a heartbeat has none."""
    if len(message) < _SHORT.size:
        return
    offset = _SHORT.size
    for _ in range(_SHORT.unpack_from(message)[0]):
        (length,) = _SHORT.unpack_from(message, offset)
        offset += _SHORT.size
        yield message[offset : offset + length]
        offset += length


def is_index(token: int) -> bool:
    """Tell whether the token is an index's."""
    return token & 0xFF == INDICES


class Tally:
    """Counts what a listener lost, got twice, or got out of order, by the packets' sequence numbers.

    Feed it every binary message in the order of arrival. What came before an instrument's first packet is not counted.
    """

    def __init__(self) -> None:
        self.packets = 0
        self.lost = 0
        self.repeated = 0
        """The update that came last, once more."""
        self.backward = 0
        """An older packet after a newer one."""
        self.last: dict[tuple[int, int], int] = {}
        """The newest number of each instrument, by (token, modulus)."""
        self._size: dict[tuple[int, int], int] = {}

    @property
    def duplicates(self) -> int:
        """Packets that should not have come."""
        return self.repeated + self.backward

    def message(self, message: bytes) -> None:
        """Count one binary message."""
        for packet in split(message):
            self.packet(packet)

    def packet(self, packet: bytes) -> None:
        """Count one packet."""
        self.packets += 1
        number, modulus = sequence(packet)
        key = _WORD.unpack_from(packet)[0], modulus
        last = self.last.get(key, number - 1)
        ahead = (number - last) % modulus
        if ahead == 0 and self._size.get(key, 0) >= len(packet):
            self.repeated += 1
            return
        if ahead >= modulus - _BACK:
            self.backward += 1
            return
        self.lost += max(0, ahead - 1)  # 0: the same update in a higher mode
        self.last[key] = number
        self._size[key] = len(packet)
