"""A rebalance in progress: instruments that move from a connection about to be freed to others, without a gap."""

from collections.abc import Mapping

from kite_relay.domain.overlap import TAIL_SECONDS, Overlap
from kite_relay.domain.ticks import Mode
from worker.bus import Packets

DEADLINE_SECONDS = 5.0
"""How long to wait for instruments that Kite does not deliver on their new connection."""


class Move:
    """Instruments on their way.

    Args:
        plan: instrument token -> the lane it moves to.
        from_lane: the lane it leaves.
        latest: the newest packet passed on of each instrument.
        modes: the mode each is wanted in.
        now: seconds of a monotonic clock.
    """

    def __init__(
        self,
        plan: Mapping[int, int],
        from_lane: int,
        latest: Mapping[int, bytes],
        modes: Mapping[int, Mode],
        now: float,
    ) -> None:
        self.tokens = frozenset(plan)
        self.from_lane = from_lane
        self.told = False
        """Whether the old lane was told to stop."""
        self.ends_at = now + DEADLINE_SECONDS
        awaited = [token for token in plan if token in latest]
        self._overlap = Overlap(latest, modes, alone=False, awaited=awaited)

    def merge(self, lane: int, packets: Packets, now: float) -> Packets:
        """Return what to pass on of a lane's packets."""
        if not any(token in self.tokens for token, _ in packets):
            return packets
        moving = [each for each in packets if each[0] in self.tokens]
        overlap = self._overlap
        passed = overlap.from_old(moving) if lane == self.from_lane else overlap.from_new(moving, now)
        return [*(each for each in packets if each[0] not in self.tokens), *passed]

    def expire(self, now: float) -> Packets:
        """Return what a silent old lane has held up."""
        return self._overlap.expire(now)

    def arrived(self, now: float) -> bool:
        """Tell whether the new lanes deliver all, or it is no use to wait longer."""
        return self._overlap.covered or now >= self.ends_at

    def leave(self, now: float) -> Packets:
        """The old lane delivers no more; returns what to pass on of what the new lanes brought before it left."""
        self.told = True
        self.ends_at = now + TAIL_SECONDS
        return self._overlap.take_over()
