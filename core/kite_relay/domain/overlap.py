"""Pass each packet on once, in order, while two sockets deliver the same instruments.

Most packets carry no sequence number, and the short ones no time either; a price that goes A, B, A cannot be told from
a late A by its bytes. What can be relied on is that both sockets carry the *same stream*, one of them a little later
than the other. So per instrument the old socket is followed while it lives, and what the new one brings is kept. When
the old one goes, the new one's place in what was passed on is found by its content, and only what lies beyond the end
is passed on: nothing twice, nothing out of order, whichever of the two was later.

An old socket that is open but silent must not hold up the new one: what was kept for half a second is passed on.

Where the streams differ after all (Kite may thin them out per connection), the rule is the simple one: not if it
equals, is a shorter form of, or is older than the last one passed on.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from struct import Struct

from kite_relay.domain.ticks import FULL, INDEX_FULL, QUOTE, Mode, cut

Packet = tuple[int, bytes]
Packets = Sequence[Packet]

HOLD_SECONDS = 0.5
"""How far the old socket may be behind the new one without a loss; how long a silent one can delay a packet."""
RAISE_SECONDS = 1.0
"""How long after its first packet a new socket may deliver shorter ones than wanted before they are passed on."""
TAIL_SECONDS = 10.0
"""How long after the old socket went the new one's late packets are still recognised."""
MOST_KEPT = 256
"""Packets remembered per instrument: a new socket that stays mute must not let the strands grow."""
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
        alone: there is no old socket to follow.
    """

    __slots__ = ("_fits", "_kept", "_log", "_old_at", "_same_day", "_seen", "met")

    def __init__(self, last: bytes | None, *, alone: bool) -> None:
        self.met = alone
        """Whether the old socket has delivered what the new one began with: to end it now loses nothing."""
        self._log = [] if last is None else [last]
        self._old_at = len(self._log)
        self._same_day = not alone
        self._kept: list[bytes] | None = None if alone else []
        """What the new socket brought while the old one is followed; None once the new one is."""
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
                if not self._news(packet):
                    return False
            else:
                return False
        log.append(packet)
        self._old_at = len(log)
        if self._kept:
            self.met = self.met or packet == self._kept[0]
        elif len(log) > MOST_KEPT:
            self._trim()
        return True

    @property
    def keeps(self) -> bool:
        """Whether packets wait for the old socket's turn to end."""
        return bool(self._kept)

    def new(self, packet: bytes) -> list[bytes]:
        """Take a packet of the new socket; returns what to pass on."""
        if self._kept is None:
            return self._advance(packet)
        if not self._kept:
            self.met = packet in self._log or not self._log
        self._kept.append(packet)
        return []

    def turn(self) -> list[bytes]:
        """Follow the new socket from now on; returns what to pass on of what was kept."""
        kept, self._kept, self.met = self._kept or (), None, True
        return [each for packet in kept for each in self._advance(packet)]

    def lacks(self, packet: bytes, mode: Mode) -> bool:
        """Tell whether a packet is shorter than its mode asks for: a new socket's mode is not raised yet."""
        return bool(self._log) and len(packet) < len(cut(self._log[-1], mode))

    @property
    def caught_up(self) -> bool:
        """Whether the new socket stands at the end of the strand: what it delivers next is news."""
        return not self._log or (bool(self._fits) and min(self._fits) + len(self._seen) >= len(self._log))

    def _advance(self, packet: bytes) -> list[bytes]:
        """Move on in the strand by one packet of the new socket; returns what lies beyond its end."""
        log, seen = self._log, self._seen
        if seen and packet == seen[-1]:
            return []  # a second snapshot, after the mode was set
        seen.append(packet)
        if len(seen) == 1:
            self._fits = {place: 1 for place, passed in enumerate(log) if passed == packet}
        self._fits = {place: good for place in self._fits if (good := self._agreement(place)) >= 0}
        if self._fits:
            # the earliest place that explains all: what it holds back wrongly is passed on if it disagrees later
            beyond = seen[len(log) - min(self._fits) :] if min(self._fits) + len(seen) > len(log) else []
            log.extend(beyond)
            return beyond
        self._seen = []
        if not self._news(packet):
            return []
        log.append(packet)
        self._seen = [packet]
        self._fits = {len(log) - 1: 1}
        return [packet]

    def _agreement(self, place: int) -> int:
        good = self._fits[place]
        most = min(len(self._seen), len(self._log) - place)
        while good < most:
            if self._log[place + good] != self._seen[good]:
                return -1
            good += 1
        return good

    def _news(self, packet: bytes) -> bool:
        if not self._log:
            return True
        last = self._log[-1]
        return not last.startswith(packet) and not older(packet, last, same_day=self._same_day)

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
        alone: there is no old socket: only what was passed on already is held back.
        awaited: the instruments that the new socket must deliver before it has taken the old one's place.
    """

    def __init__(
        self,
        latest: Mapping[int, bytes],
        modes: Mapping[int, Mode],
        *,
        alone: bool,
        awaited: Iterable[int],
    ) -> None:
        self.alone = alone
        self._latest = latest
        self._modes = modes
        self._awaited = set(awaited)
        self._raised_by: float | None = None
        self._strands: dict[int, Strand] = {}
        self._keeping: dict[int, float] = {}
        """The instruments whose packets are kept back, and since when."""
        self._begun: set[int] = set()
        self._free: set[int] = set()

    @property
    def covered(self) -> bool:
        """Whether the new socket delivers all that was awaited, and the old one has come to where it began."""
        return not self._awaited

    def from_old(self, packets: Packets) -> list[Packet]:
        """Return which of the old socket's packets to pass on."""
        passed = []
        for token, packet in self._cut(packets):
            strand = self._strand(token)
            if strand.old(packet):
                passed.append((token, packet))
            if strand.met and token in self._keeping:
                self._awaited.discard(token)
        return passed

    def from_new(self, packets: Packets, now: float) -> Packets:
        """Return what to pass on after these packets of the new socket."""
        if self.alone and self._free.issuperset(map(_TOKEN, packets)):
            return packets
        if self._raised_by is None:
            self._raised_by = now + RAISE_SECONDS
        passed: list[Packet] = []
        for token, packet in self._cut(packets):
            if token in self._free:
                passed.append((token, packet))
                continue
            strand = self._strand(token)
            if now < self._raised_by and strand.lacks(packet, self._modes.get(token, Mode.LTP)):
                continue
            news = strand.new(packet)
            if strand.met:
                self._awaited.discard(token)
            if strand.keeps:
                self._keeping.setdefault(token, now)
            passed.extend((token, each) for each in news)
            if self.alone and news and strand.caught_up:
                # free at the second news only: the first may be a snapshot, which comes twice
                (self._free if token in self._begun else self._begun).add(token)
        return passed

    def expire(self, now: float) -> list[Packet]:
        """Return what was kept for so long that the old socket must be taken for silent."""
        return self._turn([token for token, since in self._keeping.items() if now - since >= HOLD_SECONDS])

    def take_over(self) -> list[Packet]:
        """The old socket is gone, the new one is alone; returns what to pass on of what was kept."""
        self.alone = True
        return self._turn(list(self._strands))

    def _turn(self, tokens: Collection[int]) -> list[Packet]:
        for token in tokens:
            if self._keeping.pop(token, None) is not None:
                self._awaited.discard(token)
        return [(token, packet) for token in tokens for packet in self._strands[token].turn()]

    def _cut(self, packets: Packets) -> list[Packet]:
        modes = self._modes
        return [(token, cut(packet, modes[token]) if token in modes else packet) for token, packet in packets]

    def _strand(self, token: int) -> Strand:
        strand = self._strands.get(token)
        if strand is None:
            last = self._latest.get(token)
            if last is not None and token in self._modes:
                last = cut(last, self._modes[token])
            strand = self._strands[token] = Strand(last, alone=self.alone)
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
        self._stages: dict[int, Overlap] = {}
        """By its new socket, in the order in which they opened."""
        self._ends: dict[int, float] = {}

    @property
    def calm(self) -> bool:
        """Whether one socket flows alone: its packets need no look."""
        return not self._stages

    def covers(self, socket: int) -> bool:
        """Tell whether a socket delivers all that was delivered before it came."""
        stage = self._stages.get(socket)
        return stage is None or stage.covered

    def opened(self, socket: int, wanted: Iterable[int], now: float) -> None:
        """A socket will deliver these instruments from now on."""
        alone = not self._members
        awaited = [token for token in wanted if token in self._latest]
        self._stages[socket] = Overlap(self._latest, self._modes, alone=alone, awaited=awaited)
        if alone:
            self._ends[socket] = now + TAIL_SECONDS
        self._members.append(socket)

    def closed(self, socket: int, now: float) -> Packets:
        """A socket delivers nothing any more; returns what to pass on of what another had kept for it."""
        if socket not in self._members:
            return []
        self._members.remove(socket)
        self._stages.pop(socket, None)
        if not self._members:
            return []
        heir = self._members[0]
        stage = self._stages.get(heir)
        if stage is None or stage.alone:
            return []
        self._ends[heir] = now + TAIL_SECONDS
        return self._onward(heir, stage.take_over())

    def expire(self, now: float) -> Packets:
        """Forget the overlaps that have ended; returns what a silent socket has held up."""
        for socket, end in list(self._ends.items()):
            if end <= now:
                del self._ends[socket]
                self._stages.pop(socket, None)
        return [
            each for socket, stage in list(self._stages.items()) for each in self._onward(socket, stage.expire(now))
        ]

    def merge(self, socket: int, packets: Packets, now: float) -> Packets:
        """Return what to pass on of a socket's packets."""
        stage = self._stages.get(socket)
        if stage is not None:
            packets = stage.from_new(packets, now)
        return self._onward(socket, packets)

    def _onward(self, socket: int, packets: Packets) -> Packets:
        """Let the sockets that opened later know what is passed on."""
        places = list(self._stages)
        for later in places[places.index(socket) + 1 if socket in self._stages else 0 :]:
            packets = self._stages[later].from_old(packets)
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
                del self._passed[text]
                self._brought = {key: count for key, count in self._brought.items() if key[1] != text}
