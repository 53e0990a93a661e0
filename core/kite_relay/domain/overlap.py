"""Pass each packet on once, in order, while two sockets deliver the same instruments.

Most packets carry no sequence number, and the short ones no time either; a price that goes A, B, A cannot be told from
a late A by its bytes. What can be relied on is that both sockets carry the *same stream*, one a little later than the
other. So for every instrument a strand keeps what was passed on since the overlap began; the old socket's place in it
is known, the new one's is found by its content, and only what lies beyond the end of the strand is passed on.

Where the streams differ after all (Kite may thin them out per connection), the rule is the simple one: not if it
equals, is a shorter form of, or is older than the last one passed on.
"""

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from struct import Struct

from kite_relay.domain.ticks import FULL, INDEX_FULL, QUOTE, Mode, cut

Packet = tuple[int, bytes]
Packets = Sequence[Packet]

TAIL_SECONDS = 10.0
"""How long after the old socket went the new one's late packets are still recognised."""
MOST_KEPT = 256
"""Packets kept per instrument: a new socket that stays mute must not let the strands grow."""
KEPT = 32

_TOKEN = itemgetter(0)
_TIME = Struct(">I")
_TIME_AT = {FULL: 60, INDEX_FULL: 28}
_VOLUME_AT = 16


def older(packet: bytes, last: bytes, *, same_day: bool) -> bool:
    """Tell whether a packet is certainly older than the last one, by exchange time and the day's volume.

    Args:
        packet: the one in question.
        last: the one passed on before.
        same_day: whether both are of one moment: only then does a smaller volume mean older.
    """
    size = len(packet)
    if size != len(last):
        return False
    at = _TIME_AT.get(size)
    if at is not None:
        mine, other = _TIME.unpack_from(packet, at)[0], _TIME.unpack_from(last, at)[0]
        if mine and other and mine != other:
            return bool(mine < other)
    if same_day and size in (QUOTE, FULL):
        return bool(_TIME.unpack_from(packet, _VOLUME_AT)[0] < _TIME.unpack_from(last, _VOLUME_AT)[0])
    return False


class Strand:
    """One instrument's packets since the overlap began.

    Args:
        last: what was passed on last before it; None when nothing was.
    """

    __slots__ = ("_fits", "_log", "_old_at", "_seen")

    def __init__(self, last: bytes | None) -> None:
        self._log = [] if last is None else [last]
        self._old_at = len(self._log)
        self._seen: list[bytes] = []
        self._fits: dict[int, int] = {}
        """Where in the log the new socket's first packet may stand -> how many of its packets agree with that."""

    def old(self, packet: bytes) -> bool:
        """Take a packet of the old socket; tells whether to pass it on."""
        log = self._log
        if log and packet == log[self._old_at - 1] and self._old_at:
            return self._old_at == len(log)  # the same once more is no new place in the strand
        if self._old_at < len(log):
            try:
                self._old_at = log.index(packet, self._old_at) + 1
            except ValueError:
                if not self._news(packet, same_day=True):
                    return False
            else:
                return False
        log.append(packet)
        self._old_at = len(log)
        if len(log) > MOST_KEPT:
            self._trim()
        return True

    def new(self, packet: bytes, *, alone: bool) -> list[bytes]:
        """Take a packet of the new socket; returns what to pass on. `alone`: the old one has gone."""
        log, seen = self._log, self._seen
        if seen and packet == seen[-1]:
            return []  # a second snapshot, after the mode was set
        seen.append(packet)
        if len(seen) == 1:
            self._fits = {place: 1 for place, passed in enumerate(log) if passed == packet}
        self._fits = {place: good for place in self._fits if (good := self._agreement(place)) >= 0}
        if self._fits:
            # the earliest place that explains all: a packet held back wrongly still comes on the old socket
            beyond = seen[len(log) - min(self._fits) :] if min(self._fits) + len(seen) > len(log) else []
            log.extend(beyond)
            return beyond
        self._seen = []
        if not self._news(packet, same_day=not alone):
            return []
        log.append(packet)
        self._seen = [packet]
        self._fits = {len(log) - 1: 1}
        return [packet]

    def lacks(self, packet: bytes, mode: Mode) -> bool:
        """Tell whether a packet is shorter than its mode asks for: a new socket's mode is not raised yet."""
        return bool(self._log) and len(packet) < len(cut(self._log[-1], mode))

    @property
    def caught_up(self) -> bool:
        """Whether the new socket stands at the end of the strand: what it delivers next is news."""
        return not self._log or (bool(self._fits) and min(self._fits) + len(self._seen) >= len(self._log))

    def _agreement(self, place: int) -> int:
        good = self._fits[place]
        most = min(len(self._seen), len(self._log) - place)
        while good < most:
            if self._log[place + good] != self._seen[good]:
                return -1
            good += 1
        return good

    def _news(self, packet: bytes, *, same_day: bool) -> bool:
        if not self._log:
            return True
        last = self._log[-1]
        return not last.startswith(packet) and not older(packet, last, same_day=same_day)

    def _trim(self) -> None:
        keep = 1 if self.caught_up else KEPT
        self._seen = self._log[-1:] if self.caught_up else []
        self._log = self._log[-keep:]
        self._old_at = len(self._log)
        self._fits = {0: 1} if self._seen else {}


class Overlap:
    """Two sockets, the old and the new, delivering the same instruments.

    Args:
        latest: the newest packet passed on of each instrument; read when an instrument first appears.
        modes: the mode each is wanted in: a fresh subscription begins in quote mode, whatever is wanted.
        alone: there is no old socket (any more): only what was passed on already is held back.
    """

    def __init__(self, latest: Mapping[int, bytes], modes: Mapping[int, Mode], *, alone: bool) -> None:
        self._latest = latest
        self._modes = modes
        self.alone = alone
        self._strands: dict[int, Strand] = {}
        self._begun: set[int] = set()
        self._free: set[int] = set()

    def from_old(self, packets: Packets) -> list[Packet]:
        """Return which of the old socket's packets to pass on."""
        return [(token, packet) for token, packet in self._cut(packets) if self._strand(token).old(packet)]

    def from_new(self, packets: Packets) -> Packets:
        """Return what to pass on after these packets of the new socket."""
        if self.alone and self._free.issuperset(map(_TOKEN, packets)):
            return packets
        passed: list[Packet] = []
        for token, packet in self._cut(packets):
            if token in self._free:
                passed.append((token, packet))
                continue
            strand = self._strand(token)
            if strand.lacks(packet, self._modes.get(token, Mode.LTP)):
                continue
            news = strand.new(packet, alone=self.alone)
            passed.extend((token, each) for each in news)
            if self.alone and news and strand.caught_up:
                # free at the second news only: the first may be a snapshot, which comes twice
                (self._free if token in self._begun else self._begun).add(token)
        return passed

    def _cut(self, packets: Packets) -> list[Packet]:
        modes = self._modes
        return [(token, cut(packet, modes[token]) if token in modes else packet) for token, packet in packets]

    def _strand(self, token: int) -> Strand:
        strand = self._strands.get(token)
        if strand is None:
            strand = self._strands[token] = Strand(self._latest.get(token))
        return strand


class Confluence:
    """The sockets of one lane, each later one overlapping all before it.

    Args:
        latest: the newest packet passed on of each instrument.
        modes: the mode each is wanted in.
    """

    def __init__(self, latest: Mapping[int, bytes], modes: Mapping[int, Mode]) -> None:
        self._latest = latest
        self._modes = modes
        self._members: list[int] = []
        self._stages: list[tuple[int, Overlap]] = []
        self._ends: dict[int, float] = {}

    @property
    def calm(self) -> bool:
        """Whether one socket flows alone: its packets need no look."""
        return not self._stages

    def opened(self, socket: int, now: float) -> None:
        """A socket will deliver from now on."""
        self._stages.append((socket, Overlap(self._latest, self._modes, alone=not self._members)))
        if not self._members:
            self._ends[socket] = now + TAIL_SECONDS
        self._members.append(socket)

    def closed(self, socket: int, now: float) -> None:
        """A socket delivers nothing any more."""
        if socket not in self._members:
            return
        self._members.remove(socket)
        for new, overlap in self._stages:
            if new == socket:
                self._ends.setdefault(new, now + TAIL_SECONDS)
            if self._members and self._members[0] == new:
                overlap.alone = True
                self._ends.setdefault(new, now + TAIL_SECONDS)

    def expire(self, now: float) -> None:
        """Forget the overlaps that have ended."""
        self._stages = [(new, overlap) for new, overlap in self._stages if self._ends.get(new, now + 1) > now]
        self._ends = {new: end for new, end in self._ends.items() if end > now}

    def merge(self, socket: int, packets: Packets) -> Packets:
        """Return what to pass on of a socket's packets."""
        place = next((n for n, (new, _) in enumerate(self._stages) if new == socket), -1)
        if place >= 0:
            packets = self._stages[place][1].from_new(packets)
        for _, overlap in self._stages[place + 1 :]:
            packets = overlap.from_old(packets)
        return packets


class TextOnce:
    """Pass each text frame on once, though every connection of the key brings its own copy.

    A text is passed on when one socket has brought it more often than it was passed on. Only texts of the last
    seconds are remembered.
    """

    def __init__(self, seconds: float = TAIL_SECONDS) -> None:
        self._seconds = seconds
        self._passed: dict[str, int] = {}
        self._brought: dict[tuple[int, str], int] = {}
        self._recent: list[tuple[float, str]] = []

    def opened(self, socket: int) -> None:
        """A socket that opens now brings only what is said from now on."""
        for text, count in self._passed.items():
            self._brought[socket, text] = count

    def take(self, socket: int, text: str, now: float) -> bool:
        """Tell whether to pass a text on."""
        self._expire(now)
        brought = self._brought[socket, text] = self._brought.get((socket, text), 0) + 1
        if brought <= self._passed.get(text, 0):
            return False
        self._passed[text] = brought
        self._recent.append((now, text))
        return True

    def _expire(self, now: float) -> None:
        while self._recent and now - self._recent[0][0] > self._seconds:
            _, text = self._recent.pop(0)
            if not any(text == other for _, other in self._recent):
                self._forget([text])

    def _forget(self, texts: Iterable[str]) -> None:
        for text in texts:
            self._passed.pop(text, None)
            for key in [key for key in self._brought if key[1] == text]:
                del self._brought[key]
