"""The latest packet of each instrument, kept over a restart and a week-end, with its age.

What nobody wants any more is remembered too, for the one who asks again before Kite can be asked. One small file,
replaced whole: 9000 full packets are under 2 MB. Which packets changed is looked at only when the file is written, so
that the hot path pays nothing: ages are right to that interval.
"""

from collections.abc import Iterable, Mapping, MutableMapping
from struct import Struct, error

import structlog

from kite_relay.domain.ticks import MIN_PACKET
from kite_relay.ports import Clock
from worker.state import StateFolder

FILE = "last_packets"
MAGIC = b"kite-relay last packets 1\n"
KEEP_SECONDS = 14 * 86_400.0
"""How long an instrument that nobody wants is remembered: contracts expire."""
_HEAD = Struct(">IdH")

log = structlog.get_logger(__name__)


class LastPrices:
    """Remembers when each instrument's packet came, saves and restores them.

    Args:
        folder: where the file stands.
        latest: the newest packet of each instrument, as the bus keeps it.
        clock: the two clocks.
    """

    def __init__(self, folder: StateFolder, latest: MutableMapping[int, bytes], clock: Clock) -> None:
        self._folder = folder
        self._latest = latest
        self._clock = clock
        self._known: dict[int, bytes] = {}
        self._came: dict[int, float] = {}

    def restore(self) -> int:
        """Read the file back; returns how many packets. A broken file costs a warning and the memory of prices."""
        data = self._folder.read(FILE)
        if data is None:
            return 0
        try:
            found = dict(_parse(data))
        except (ValueError, error) as problem:
            log.warning("the last prices are broken; starting without", error=str(problem))
            return 0
        for token, (came, packet) in found.items():
            self._known[token] = packet
            self._came[token] = came
        return len(found)

    def look(self) -> None:
        """Note which packets changed since the last look."""
        now = self._clock.now().timestamp()
        known = self._known
        for token, packet in self._latest.items():
            if known.get(token) is not packet:
                known[token] = packet
                self._came[token] = now

    def recall(self, tokens: Iterable[int]) -> None:
        """Give the bus back what it has forgotten of these instruments, if it was ever known."""
        for token in tokens:
            if token in self._known:
                self._latest.setdefault(token, self._known[token])

    def ages(self) -> Mapping[int, float]:
        """Tell how many seconds ago each instrument's packet came."""
        now = self._clock.now().timestamp()
        return {token: max(0.0, now - came) for token, came in self._came.items()}

    def snapshot(self) -> bytes:
        """Give what `write` puts into the file; taken on the loop's thread, as the packets keep changing."""
        self.look()
        parts = [MAGIC]
        self._forget_old()
        for token, packet in self._known.items():
            parts += (_HEAD.pack(token, self._came[token], len(packet)), packet)
        return b"".join(parts)

    def _forget_old(self) -> None:
        oldest = self._clock.now().timestamp() - KEEP_SECONDS
        for token in [token for token, came in self._came.items() if came < oldest and token not in self._latest]:
            del self._known[token], self._came[token]

    def write(self, data: bytes) -> None:
        """Replace the file."""
        self._folder.keep(FILE, data)


def _parse(data: bytes) -> list[tuple[int, tuple[float, bytes]]]:
    """Read the file's content.

    Raises:
        ValueError: it is not what `snapshot` gives.
    """
    if not data.startswith(MAGIC):
        raise ValueError("not a file of last packets")
    found = []
    place = len(MAGIC)
    while place < len(data):
        token, came, size = _HEAD.unpack_from(data, place)
        place += _HEAD.size
        packet = data[place : place + size]
        place += size
        if len(packet) != size or size < MIN_PACKET or int.from_bytes(packet[:4]) != token:
            raise ValueError("the file is cut short or damaged")
        found.append((token, (came, packet)))
    return found
