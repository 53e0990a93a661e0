"""The feed: runs the handover machine against real sockets, and passes what Kite delivers to the bus.

Everything happens on the loop's one thread. Decisions are `kite_relay.domain.handover`'s; this file only carries them
out and reports what happened.
"""

import asyncio
import json
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kite_relay.domain.handover import LIMITS, live, settled, step
from kite_relay.domain.handover_types import (
    Close,
    Closed,
    Command,
    Covered,
    Delivered,
    Dial,
    DialRejected,
    FlushPassed,
    Input,
    LanesWanted,
    Limits,
    Probe,
    ProbeAccepted,
    ProbeFailed,
    ProbeRejected,
    Promote,
    Report,
    Restore,
    State,
    Tick,
    TokenId,
    TokenSeen,
    What,
)
from kite_relay.domain.overlap import Confluence, TextOnce
from kite_relay.domain.subscriptions import LaneChange, Subscriptions, asks, merge, restore
from kite_relay.domain.token import AccessToken, last_flush_end
from kite_relay.ports import Clock
from worker.bus import Bus, Packets, Wants
from worker.link import Link, Watcher
from worker.moves import Move
from worker.upstream import Upstream

SETTLE_BEFORE_COMPACTING = 5.0
"""Wants that come and go within seconds are not worth a rebalance."""
SEGMENTS = {1: "nse", 2: "nfo", 3: "cds", 4: "bse", 5: "bfo", 6: "bcd", 7: "mcx", 8: "mcxsx", 9: "indices", 12: "nco"}
"""By the last byte of the instrument token (https://kite.trade/docs/connect/v3/websocket/)."""


@dataclass(slots=True)
class Lane:
    """What the feed keeps of one lane."""

    confluence: Confluence
    dark_since: float | None = None


class Feed:
    """Runs the machine.

    Args:
        upstream: dials Kite.
        clock: the two clocks.
        roll: gives random numbers in [0, 1).
        watcher: who is told.
        later: calls a function after so many seconds (the loop's `call_later`).
        limits: how patient the machine is.
        batch_seconds: wants that change within so long are told to Kite together.
    """

    def __init__(
        self,
        *,
        upstream: Upstream,
        clock: Clock,
        roll: Callable[[], float],
        watcher: Watcher,
        later: Callable[[float, Callable[[], None]], object],
        limits: Limits = LIMITS,
        batch_seconds: float = 0.02,
    ) -> None:
        self.clock = clock
        self.monotonic = clock.monotonic
        self.watcher = watcher
        self.state = State()
        self.subscriptions = Subscriptions(lanes=limits.connections)
        self.bus = Bus(self.want)
        self.recall: Callable[[Iterable[int]], None] = lambda _: None
        """Brings back the last known packets of instruments; set by the composition root."""
        self.links: dict[int, Link] = {}
        self.last_tick: float | None = None
        self._dials: Counter[str] = Counter()
        self._ticks: Counter[int] = Counter()
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._upstream = upstream
        self._roll = roll
        self._later = later
        self._limits = limits
        self._batch_seconds = batch_seconds
        self._lanes = [Lane(Confluence(self.bus.latest, self.subscriptions.modes)) for _ in range(limits.connections)]
        self._texts = TextOnce()
        self._values: dict[TokenId, AccessToken] = {}
        self._adopted_at = 0.0
        self._ticked_generation: TokenId | None = None
        self._inputs: deque[Input] = deque()
        self._stepping = False
        self._dirty: dict[int, LaneChange] = {}
        self._move: Move | None = None
        self._wants_changed_at = 0.0
        self._flush_seen = last_flush_end(clock.now())

    # ---- what others tell the feed ----------------------------------------------------------------------------------

    def token_seen(self, token: AccessToken) -> None:
        """The store was read, and this stands there."""
        seen = TokenId(token.generation, token.written_at, token.usable)
        self._values[seen] = token
        self.happened(TokenSeen(seen))
        self._values = {id_: value for id_, value in self._values.items() if id_ == self.state.token}

    def probed(self, token: AccessToken, answer: bool | None) -> None:  # noqa: FBT001 - yes, no, or no answer
        """Kite's REST side answered: it knows the token, it does not, or (None) it did not answer."""
        id_ = TokenId(token.generation, token.written_at, token.usable)
        self.happened(ProbeFailed(id_) if answer is None else ProbeAccepted(id_) if answer else ProbeRejected(id_))

    def want(self, owner: str, wants: Wants) -> None:
        """Take all that one owner wants.

        Raises:
            LimitExceededError: that would be more than Kite carries; nothing has changed.
        """
        changes = self.subscriptions.want(owner, wants)
        self._wants_changed_at = self.monotonic()
        if not self.live:
            self.recall(wants)  # Kite cannot tell now, so the last known packet is the best there is
        if not self._dirty and changes:
            self._later(self._batch_seconds, self.flush)
        for lane, change in changes.items():
            self._dirty[lane] = merge(self._dirty[lane], change) if lane in self._dirty else change
        self._want_lanes()

    def tick(self) -> None:
        """Let time pass; to be called a few times a second."""
        now = self.monotonic()
        self._check_flush()
        self.happened(Tick({link.socket: link.heard for link in self.links.values()}))
        for number, lane in enumerate(self._lanes):
            self._pass(number, lane.confluence.expire(now))
        self._balance(now)
        self._note_covered()

    def flush(self) -> None:
        """Tell Kite what changed in the wants since the last time."""
        dirty, self._dirty = self._dirty, {}
        for lane, change in dirty.items():
            self._tell(lane, change)

    def stop(self) -> None:
        """End every connection, and dial no more."""
        self._stepping = True
        for link in list(self.links.values()):
            if link.line is not None:
                link.line.close(abort=not link.is_open)

    # ---- what the feed tells ----------------------------------------------------------------------------------------

    @property
    def live(self) -> bool:
        """Whether everything flows on the newest token."""
        return live(self.state)

    @property
    def connected(self) -> bool:
        """Whether every lane has a connection that stands."""
        return len({link.lane for link in self.open_links}) >= self.state.lanes

    async def until_settled(self, generation: int) -> None:
        """Wait until nothing more is to be done for this generation."""
        if not settled(self.state, generation):
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append((generation, waiter))
            await waiter

    def take_dials(self) -> Counter[str]:
        """Give how the dials since the last call ended."""
        dials, self._dials = self._dials, Counter()
        return dials

    def take_ticks(self) -> Counter[str]:
        """Give how many packets came since the last call, by segment."""
        ticks = Counter[str]()
        for segment, count in self._ticks.items():
            ticks[SEGMENTS.get(segment, "other")] += count
        self._ticks.clear()
        return ticks

    @property
    def token(self) -> AccessToken | None:
        """The newest token."""
        return self._values.get(self.state.token) if self.state.token else None

    @property
    def open_links(self) -> list[Link]:
        """The connections that stand."""
        return [link for link in self.links.values() if link.is_open]

    @property
    def mute(self) -> bool:
        """Whether a connection that wants something has delivered nothing for long after it opened."""
        now = self.monotonic()
        return any(
            not link.delivered
            and now - link.opened_mono > self._limits.calm_after
            and link.lane in self.subscriptions.lane_of.values()
            for link in self.open_links
        )

    # ---- the machine ------------------------------------------------------------------------------------------------

    def happened(self, event: Input) -> None:
        """Give the machine an input, and carry out what it commands; an input that this causes waits its turn."""
        self._inputs.append(event)
        if self._stepping:
            return
        self._stepping = True
        try:
            while self._inputs:
                event = self._inputs.popleft()
                self.state, commands = step(self.state, event, self.monotonic(), self._roll(), self._limits)
                for command in commands:
                    self._do(command)
        finally:
            self._stepping = False
        self._wake_waiters()

    def _wake_waiters(self) -> None:
        if not self._waiters:
            return
        for generation, waiter in self._waiters:
            if settled(self.state, generation) and not waiter.done():
                waiter.set_result(None)
        self._waiters = [each for each in self._waiters if not each[1].done()]

    def gone(self, link: Link, event: Input, reason: str) -> None:
        """A socket is gone."""
        del reason  # kiteconnect has logged it
        if not isinstance(event, Closed):
            self._dials["rejected" if isinstance(event, DialRejected) else "failed"] += 1
        if self.links.pop(link.socket, None) is None:
            return
        lane = self._lanes[link.lane]
        self._pass(link.lane, lane.confluence.closed(link.socket, self.monotonic()))
        if isinstance(event, Closed) and not any(other.lane == link.lane for other in self.open_links):
            lane.dark_since = link.heard
        self.happened(event)

    def first_packet(self, link: Link) -> None:
        """The first packet came on a socket."""
        now = self.monotonic()
        lane = self._lanes[link.lane]
        if lane.dark_since is not None:
            self.watcher.on_gap(link.token.generation, now - lane.dark_since)
            lane.dark_since = None
        if link.token == self.state.token and link.token != self._ticked_generation:
            self._ticked_generation = link.token
            self.watcher.on_first_tick(link.token.generation, now - self._adopted_at)
        self.happened(Delivered(link.socket))

    def _do(self, command: Command) -> None:
        match command:
            case Dial(socket, lane, token):
                self._dial(socket, lane, token)
            case Restore(socket):
                self._restore(self.links[socket])
            case Close(socket, abort):
                link = self.links.get(socket)
                if link is not None and link.line is not None:
                    link.line.close(abort=abort)
            case Promote(socket):
                self.watcher.on_promote(self.links[socket].token.generation)
            case Probe(token):
                self.watcher.on_probe(self._values[token])
            case Report(what):
                if what is What.ADOPTED:
                    self._adopted_at = self.monotonic()
                self.watcher.on_report(command)

    def _dial(self, socket: int, lane: int, token: TokenId) -> None:
        link = self.links[socket] = Link(self, socket, lane, token)
        self.watcher.on_dial(token.generation)
        link.line = self._upstream.dial(self._values[token].value, link)

    def _restore(self, link: Link) -> None:
        self._dials["opened"] += 1
        if (change := self._dirty.pop(link.lane, None)) is not None:
            self._tell(link.lane, change, besides=link)  # the new socket is told everything anyway
        wanted = self.subscriptions.on_lane(link.lane)
        if link.line is not None:
            link.line.send(restore(wanted))
        self._lanes[link.lane].confluence.opened(link.socket, wanted, self.monotonic())
        self._texts.opened(link.socket)
        if not wanted:
            link.covered = True
            self._inputs.append(Covered(link.socket))

    # ---- packets ----------------------------------------------------------------------------------------------------

    def pass_on(self, link: Link, packets: Packets, segments: bytearray) -> None:
        """Pass a frame's packets on: all of them when one socket flows alone, else each once."""
        confluence = self._lanes[link.lane].confluence
        if not confluence.calm:
            self._pass(link.lane, confluence.merge(link.socket, packets, self.monotonic()))
            self._note_covered()
        elif self._move is not None:
            self._pass(link.lane, packets)
        else:
            self._publish(packets, segments)

    def _pass(self, lane: int, packets: Packets) -> None:
        if self._move is not None:
            packets = self._move.merge(lane, packets, self.monotonic())
        self._publish_some(packets)

    def _publish_some(self, packets: Packets) -> None:
        if packets:
            self._publish(packets, bytearray(token & 0xFF for token, _ in packets))

    def _publish(self, packets: Packets, segments: bytearray) -> None:
        for segment in set(segments):
            self._ticks[segment] += segments.count(segment)
        self.bus.publish(packets)

    def _note_covered(self) -> None:
        for link in self.open_links:
            if link.delivered and not link.covered and self._lanes[link.lane].confluence.covers(link.socket):
                link.covered = True
                self.happened(Covered(link.socket))

    def pass_text(self, link: Link, text: str) -> None:
        """Pass a text frame on, once, if it is one that a Kite client can read."""
        try:
            kind = json.loads(text)["type"]
        except (ValueError, KeyError, TypeError, RecursionError):
            kind = None
        if not isinstance(kind, str):
            self.watcher.on_rejected_frame("text")
        elif self._texts.take(link.socket, text, self.monotonic()):
            self.bus.publish_text(text)

    # ---- wants and lanes --------------------------------------------------------------------------------------------

    def _tell(self, lane: int, change: LaneChange, besides: Link | None = None) -> None:
        messages = asks(change)
        for link in self.open_links:
            if link.lane == lane and link is not besides and link.line is not None:
                link.line.send(messages)

    def _want_lanes(self) -> None:
        count = self.subscriptions.lanes
        if self._move is not None:
            count = max(count, self._move.from_lane + 1)
        if count != self.state.lanes:
            self.happened(LanesWanted(count))

    def _balance(self, now: float) -> None:
        """Free a connection when the others have room: it is the spare that a handover without a gap needs."""
        if self._move is not None:
            self._finish_move(self._move, now)
        elif self.live and not self._dirty and now - self._wants_changed_at > SETTLE_BEFORE_COMPACTING:
            last = self.subscriptions.lanes - 1
            plan = self.subscriptions.compact()
            if plan and all(lane.confluence.calm for lane in self._lanes):
                self._move = Move(plan, last, self.bus.latest, self.subscriptions.modes, now)
                for lane, change in self.subscriptions.move(plan).items():
                    self._tell(lane, change)

    def _finish_move(self, move: Move, now: float) -> None:
        self._publish_some(move.expire(now))
        if move.told:
            if now > move.ends_at:
                self._move = None
        elif move.arrived(now):
            self._publish_some(move.leave(now))
            if self.subscriptions.lanes > move.from_lane:
                self._tell(move.from_lane, LaneChange(gone=set(move.tokens)))
            else:
                self.happened(LanesWanted(self.subscriptions.lanes))

    def _check_flush(self) -> None:
        """Tell the machine once each morning that the flush window has passed; a wall clock set back asks again."""
        flush = last_flush_end(self.clock.now())
        if flush > self._flush_seen and self.links:
            self.happened(FlushPassed())
        self._flush_seen = flush
