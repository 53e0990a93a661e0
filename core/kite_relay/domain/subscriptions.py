"""Who wants which instrument in which mode, the union to ask of Kite, and its spread over connections.

Kite's limits: 3000 instruments on one connection, 3 connections per API key
(https://kite.trade/docs/connect/v3/websocket/). A lane is the share of one connection.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kite_relay.domain.errors import LimitExceededError
from kite_relay.domain.ticks import Mode

PER_LANE = 3000
LANES = 3
CHUNK = 1000
"""Instruments in one message to Kite: a message of 1000 stays near 10 kB, and 3000 go out in three."""

Wants = Mapping[int, Mode]
BY_RANK = tuple(sorted(Mode, key=lambda mode: mode.rank))


@dataclass(frozen=True, slots=True)
class Ask:
    """One message to Kite: `action` is "subscribe", "unsubscribe" or "mode"."""

    action: str
    tokens: tuple[int, ...]
    mode: Mode | None = None


@dataclass(slots=True)
class LaneChange:
    """What one lane must tell Kite: instruments it takes over or whose mode changes, and instruments it leaves."""

    modes: dict[int, Mode] = field(default_factory=dict)
    new: set[int] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)


class Subscriptions:
    """The book of all wants.

    Args:
        per_lane: instruments that one connection carries.
        lanes: connections that one API key may have.
    """

    def __init__(self, per_lane: int = PER_LANE, lanes: int = LANES) -> None:
        self._per_lane = per_lane
        self._most_lanes = lanes
        self._owners: dict[str, dict[int, Mode]] = {}
        self._votes: dict[int, Counter[Mode]] = {}
        self.modes: dict[int, Mode] = {}
        """The union: instrument token -> the highest mode that anyone wants."""
        self.lane_of: dict[int, int] = {}
        self._load = [0] * lanes

    def want(self, owner: str, wants: Wants) -> dict[int, LaneChange]:
        """Replace all that one owner wants; returns what each lane must tell Kite.

        Raises:
            LimitExceededError: together with all others that is more than Kite allows; nothing has changed.
        """
        before = self._owners.get(owner, {})
        touched = {t for t in before.keys() | wants.keys() if before.get(t) != wants.get(t)}
        self._check_room(before, wants, touched)
        for token in touched:
            self._vote(token, before.get(token), wants.get(token))
        if wants:
            self._owners[owner] = dict(wants)
        else:
            self._owners.pop(owner, None)
        changes: dict[int, LaneChange] = {}
        # what goes makes room before what comes looks for it
        for token in sorted(touched, key=lambda t: t in self._votes):
            self._apply(token, changes)
        return changes

    @property
    def lanes(self) -> int:
        """How many connections are in use: lanes 0 .. n-1; at least one."""
        return max((lane + 1 for lane, load in enumerate(self._load) if load), default=1)

    def on_lane(self, lane: int) -> dict[int, Mode]:
        """Return what one lane carries."""
        return {token: mode for token, mode in self.modes.items() if self.lane_of[token] == lane}

    def compact(self) -> dict[int, int]:
        """Plan to free the last lane if the others have room for it: instrument token -> the lane it moves to.

        A freed connection is the spare one that a handover without a gap needs.
        """
        last = self.lanes - 1
        if last < 1 or len(self.modes) > last * self._per_lane:
            return {}
        room = (lane for lane in range(last) for _ in range(self._per_lane - self._load[lane]))
        return dict(zip(self.on_lane(last), room, strict=False))

    def move(self, moves: Mapping[int, int]) -> dict[int, LaneChange]:
        """Give instruments to other lanes; returns what the new lanes must tell Kite. The old ones are not told."""
        changes: dict[int, LaneChange] = {}
        for token, lane in moves.items():
            self._load[self.lane_of[token]] -= 1
            self._place(token, lane, changes)
        return changes

    def _check_room(self, before: Wants, wants: Wants, touched: Iterable[int]) -> None:
        most = self._per_lane * self._most_lanes
        freed = sum(1 for t in touched if t not in wants and self._votes[t].total() == 1)
        needed = sum(1 for t in touched if t not in before and t not in self._votes)
        total = len(self._votes) - freed + needed
        if total > most:
            raise LimitExceededError(
                f"Kite carries at most {most} instruments for one API key: with these it would be {total}. "
                f"Unsubscribe {total - most} first."
            )

    def _vote(self, token: int, old: Mode | None, new: Mode | None) -> None:
        votes = self._votes.setdefault(token, Counter())
        if old is not None:
            votes[old] -= 1
        if new is not None:
            votes[new] += 1
        if not votes.total():
            del self._votes[token]

    def _apply(self, token: int, changes: dict[int, LaneChange]) -> None:
        votes = self._votes.get(token)
        if votes is None:
            lane = self.lane_of.pop(token)
            self._load[lane] -= 1
            del self.modes[token]
            changes.setdefault(lane, LaneChange()).gone.add(token)
            return
        mode = max((mode for mode, count in votes.items() if count > 0), key=lambda m: m.rank)
        if token in self.lane_of:
            if mode is not self.modes[token]:
                self.modes[token] = mode
                changes.setdefault(self.lane_of[token], LaneChange()).modes[token] = mode
            return
        self.modes[token] = mode
        self._place(token, next(n for n, load in enumerate(self._load) if load < self._per_lane), changes)

    def _place(self, token: int, lane: int, changes: dict[int, LaneChange]) -> None:
        self.lane_of[token] = lane
        self._load[lane] += 1
        change = changes.setdefault(lane, LaneChange())
        change.modes[token] = self.modes[token]
        change.new.add(token)


def restore(modes: Wants) -> list[Ask]:
    """Say all that a fresh connection must be told."""
    return asks(LaneChange(dict(modes), set(modes)))


def asks(change: LaneChange) -> list[Ask]:
    """Put a change into as few messages as Kite needs; what a lane takes over comes before what it leaves."""
    messages = [Ask("subscribe", chunk) for chunk in _chunks(sorted(change.new))]
    for mode in BY_RANK:
        tokens = sorted(token for token, wanted in change.modes.items() if wanted is mode)
        messages += [Ask("mode", chunk, mode) for chunk in _chunks(tokens)]
    messages += [Ask("unsubscribe", chunk) for chunk in _chunks(sorted(change.gone))]
    return messages


def merge(first: LaneChange, second: LaneChange) -> LaneChange:
    """Join two changes of one lane that Kite was not told of yet."""
    gone = (first.gone - second.modes.keys()) | second.gone
    modes = {token: mode for token, mode in (first.modes | second.modes).items() if token not in second.gone}
    return LaneChange(modes, (first.new | second.new) - second.gone, gone)


def _chunks(tokens: Sequence[int]) -> Iterator[tuple[int, ...]]:
    for start in range(0, len(tokens), CHUNK):
        yield tuple(tokens[start : start + CHUNK])
