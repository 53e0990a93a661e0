"""The handover machine against a model of Kite: whatever the morning brings, the written invariants hold.

The model mints and kills tokens, flushes them in the morning, spares or kills the sockets of a dead token, loses dials,
goes silent, answers late; the store forgets, resets and repeats itself. After every step these are true:

1. Never more sockets than Kite allows one key.
2. Never a dial with any token but the newest known one.
3. Never a dial for a rejected token, but for one after each yes of a probe that was asked after the rejection; and
   probes of a rejected token are `probe_every` apart.
4. A socket that flows is closed only when it is replaced by one that delivers, silent, logged out, on a lane that
   nobody needs, to make room for a token that Kite has accepted, or to make way for a lane that has no socket at all.
5. Every socket that is dialled ends exactly once; nothing is commanded of one that has ended.
6. Given peace, every wanted lane flows on the newest token, if Kite accepts it at all.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from kite_relay.domain.handover import live, settled, step
from kite_relay.domain.handover_types import (
    Close,
    Closed,
    Command,
    Covered,
    Delivered,
    Dial,
    DialFailed,
    DialOpened,
    DialRejected,
    FlushPassed,
    Input,
    LanesWanted,
    Limits,
    Phase,
    Probe,
    ProbeAccepted,
    ProbeFailed,
    ProbeRejected,
    Promote,
    Restore,
    State,
    Tick,
    TokenId,
    TokenSeen,
)

settings.register_profile("default", max_examples=150, stateful_step_count=60, deadline=None)
settings.register_profile("nightly", max_examples=10_000, stateful_step_count=60, deadline=None)
PROFILE = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

LIMITS = Limits()
START = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
LOTS_OF_TICKS = 400


class Kite:
    """What the machine cannot see: which tokens Kite accepts, and what became of each socket."""

    def __init__(self) -> None:
        self.alive: set[TokenId] = set()
        self.forbidden: set[TokenId] = set()
        """Tokens that REST knows and the ticker refuses."""
        self.sockets: dict[int, Dial] = {}
        """Every socket that stands from Kite's point of view, dialling or open."""
        self.opened: set[int] = set()
        self.closing: set[int] = set()
        self.silent: set[int] = set()

    def accepts(self, token: TokenId) -> bool:
        """Tell whether a handshake with this token succeeds."""
        return token in self.alive and token not in self.forbidden


class HandoverMachine(RuleBasedStateMachine):
    """Drives the machine; every rule is one thing that can happen."""

    def __init__(self) -> None:
        super().__init__()
        self.kite = Kite()
        self.state = State()
        self.now = self.told_at = 1000.0
        self.tokens: list[TokenId] = []
        self.stored: TokenId | None = None
        self.heard: dict[int, float] = {}
        self.delivered: set[int] = set()
        self.rejected: dict[TokenId, int] = {}
        self.reprieves: dict[TokenId, int] = {}
        self.probes: list[tuple[TokenId, bool]] = []
        """Asked and not answered: the token, and whether it had been rejected by then."""
        self.probed_at: dict[TokenId, float] = {}
        self.ever_closed: set[int] = set()

    # ---- the world's side -------------------------------------------------------------------------------------------

    def tell(self, event: Input, roll: float = 0.5) -> None:
        """Give the machine an input and check every command."""
        before = self.state
        self.told_at = self.now
        self.state, commands = step(self.state, event, self.now, roll, LIMITS)
        for command in commands:
            self.check(command, before)

    def check(self, command: Command, before: State) -> None:
        """Carry out a command in the model, and hold it to the invariants."""
        match command:
            case Dial(socket, _, token):
                self.check_dial(socket, token)
                self.kite.sockets[socket] = command
            case Close(socket):
                assert socket in self.kite.sockets, "closed a socket that is no more"
                assert socket not in self.kite.closing, "closed a socket twice"
                self.check_close(socket)
                self.kite.closing.add(socket)
            case Restore(socket) | Promote(socket):
                assert socket in self.kite.opened, "used a socket that is not open"
            case Probe(token):
                self.check_probe(token, before)

    def check_dial(self, socket: int, token: TokenId) -> None:
        """Invariants 2 and 3."""
        assert socket not in self.ever_closed, "a socket's number was used again"
        assert token == self.state.token, "dialled with a token that is not the newest known"
        assert token.usable, "dialled after a logout"
        allowed = self.reprieves.get(token, 0)
        assert self.rejected.get(token, 0) <= allowed, "dialled again with a rejected token"

    def check_close(self, socket: int) -> None:
        """Invariant 4."""
        dial, state = self.kite.sockets[socket], self.state
        if socket not in self.kite.opened or state.token is None or not state.token.usable:
            return
        others = [s for s in self.kite.opened - self.kite.closing - {socket} if self.kite.sockets[s].lane == dial.lane]
        replaced = any(self.kite.sockets[other].token == state.token and other in self.delivered for other in others)
        silent = self.now - self.heard[socket] > LIMITS.liveness
        unneeded = dial.lane >= state.lanes
        makes_room = state.verified and state.lanes == LIMITS.connections
        newer = any(other > socket for other in others)
        starving = {self.kite.sockets[s].lane for s in self.kite.sockets} < set(range(state.lanes))
        makes_way = newer and starving
        assert replaced or silent or unneeded or makes_room or makes_way, "closed a socket that flowed, for nothing"

    def check_probe(self, token: TokenId, before: State) -> None:
        """Invariant 3, of probes."""
        assert token == self.state.token
        if before.rejected and before.token == token:
            assert self.now - self.probed_at.get(token, float("-inf")) >= LIMITS.probe_retry, "probes came too close"
        self.probed_at[token] = self.now
        self.probes.append((token, before.rejected and before.token == token))

    def end(self, socket: int, event: Input) -> None:
        """A socket is gone."""
        del self.kite.sockets[socket]
        for group in (self.kite.opened, self.kite.closing, self.kite.silent, self.delivered):
            group.discard(socket)
        self.heard.pop(socket, None)
        self.ever_closed.add(socket)
        self.tell(event)

    # ---- rules ------------------------------------------------------------------------------------------------------

    @initialize(lanes=st.integers(1, 3))
    def begin(self, lanes: int) -> None:
        """Start with some lanes wanted."""
        self.tell(LanesWanted(lanes))

    @rule(spare=st.booleans(), good=st.sampled_from(["good", "good", "good", "dead", "forbidden"]))
    def mint(self, spare: bool, good: str) -> None:
        """A login: a new token is stored; Kite kills the older ones, and spares their sockets or not."""
        last = self.tokens[-1] if self.tokens else None
        generation = 1 if last is None else last.generation + 1
        self.store(TokenId(generation, START + timedelta(seconds=self.now)), good)
        if not spare:
            for socket in sorted(self.kite.opened):
                if self.kite.sockets[socket].token != self.stored:
                    self.end(socket, Closed(socket))

    def store(self, token: TokenId, good: str) -> None:
        """Put a token into the store."""
        self.now += 1.0
        token = TokenId(token.generation, START + timedelta(seconds=self.now), token.usable)
        self.tokens.append(token)
        self.stored = token
        self.kite.alive = {token} if good != "dead" else set()
        if good == "forbidden":
            self.kite.forbidden.add(token)

    @precondition(lambda self: self.stored)
    @rule()
    def reset(self) -> None:
        """The parameter is deleted and written anew: its versions start at 1 again."""
        self.store(TokenId(1, START), "good")

    @precondition(lambda self: self.stored)
    @rule()
    def log_out(self) -> None:
        """The owner logs out: the store holds a generation, but no token."""
        assert self.stored is not None
        self.store(TokenId(self.stored.generation + 1, START, usable=False), "dead")

    @precondition(lambda self: self.stored)
    @rule()
    def read_store(self) -> None:
        """The store is read: by reconciling, or because of an announcement, however old or doubled."""
        assert self.stored is not None
        self.tell(TokenSeen(self.stored))

    @precondition(lambda self: len(self.tokens) > 1)
    @rule(data=st.data())
    def read_stale(self, data: st.DataObject) -> None:
        """The store answers with what stood there before, for a moment; then rightly."""
        assert self.stored is not None
        known = self.state.token
        self.tell(TokenSeen(data.draw(st.sampled_from(self.tokens))))
        if known == self.stored:
            assert self.state.token == known, "a stale read moved us backwards"
        self.tell(TokenSeen(self.stored))

    @precondition(lambda self: any(s not in self.kite.opened for s in self.kite.sockets))
    @rule(data=st.data(), trouble=st.booleans())
    def dial_ends(self, data: st.DataObject, trouble: bool) -> None:
        """Kite answers a handshake, or the network does not let it."""
        socket = data.draw(st.sampled_from(sorted(s for s in self.kite.sockets if s not in self.kite.opened)))
        self.answer_dial(socket, trouble=trouble)

    def answer_dial(self, socket: int, *, trouble: bool) -> None:
        """End a dial as Kite would."""
        token = self.kite.sockets[socket].token
        if trouble or socket in self.kite.closing:
            self.end(socket, DialFailed(socket))
        elif self.kite.accepts(token):
            self.kite.opened.add(socket)
            self.heard[socket] = self.now
            self.tell(DialOpened(socket))
        else:
            self.rejected[token] = self.rejected.get(token, 0) + 1
            self.end(socket, DialRejected(socket))

    @precondition(lambda self: self.kite.opened)
    @rule(data=st.data(), covered=st.booleans())
    def deliver(self, data: st.DataObject, covered: bool) -> None:
        """A packet comes, perhaps the one that was missing."""
        socket = data.draw(st.sampled_from(sorted(self.kite.opened)))
        self.packet(socket, covered=covered)

    def packet(self, socket: int, *, covered: bool) -> None:
        """Deliver on a socket that is not silent."""
        if socket in self.kite.silent:
            return
        self.heard[socket] = self.now
        self.delivered.add(socket)
        self.tell(Delivered(socket))
        if covered and socket in self.kite.opened:
            self.tell(Covered(socket))

    @precondition(lambda self: self.kite.opened)
    @rule(data=st.data())
    def silence(self, data: st.DataObject) -> None:
        """A socket stays open and says nothing more: half-open, or black-holed."""
        self.kite.silent.add(data.draw(st.sampled_from(sorted(self.kite.opened))))

    @precondition(lambda self: self.kite.sockets)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        """A connection ends: Kite closes it, the network does, or our own close is done."""
        socket = data.draw(st.sampled_from(sorted(self.kite.sockets)))
        self.end(socket, Closed(socket) if socket in self.kite.opened else DialFailed(socket))

    @rule(count=st.integers(0, 4))
    def want_lanes(self, count: int) -> None:
        """More or fewer instruments are wanted."""
        self.tell(LanesWanted(count))

    @precondition(lambda self: self.probes)
    @rule(answered=st.booleans())
    def probe_ends(self, answered: bool) -> None:
        """Kite's REST side answers the oldest question, or does not."""
        self.answer_probe(answered=answered)

    def answer_probe(self, *, answered: bool) -> None:
        """Answer as Kite would."""
        token, after_rejection = self.probes.pop(0)
        if not answered:
            self.tell(ProbeFailed(token))
        elif token in self.kite.alive:
            if after_rejection and self.state.token == token and self.state.rejected:
                self.reprieves[token] = self.rejected.get(token, 0)
            self.tell(ProbeAccepted(token))
        else:
            self.tell(ProbeRejected(token))

    @rule(kill=st.booleans(), spare=st.booleans())
    def flush(self, kill: bool, spare: bool) -> None:
        """The morning's flush: tokens die or not, their sockets too or not, and the worker notices the hour."""
        if kill:
            self.kite.alive = set()
            if not spare:
                for socket in sorted(self.kite.opened):
                    self.end(socket, Closed(socket))
        self.tell(FlushPassed())

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 4.0, 30.0, 60.0, 301.0]))
    def wait(self, seconds: float) -> None:
        """Time goes by; sockets that are not silent are heard all along."""
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        """Let time pass in ticks, as the worker does."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + 2.0, end)
            for socket in self.kite.opened - self.kite.silent:
                self.heard[socket] = self.now
            self.tell(Tick(dict(self.heard)))

    @rule()
    def sleep(self) -> None:
        """The whole process stands still for an hour: no socket was heard, and none may be blamed for it."""
        flowing = {s for s in self.kite.opened - self.kite.closing if self.kite.sockets[s].lane < self.state.lanes}
        self.now += 3600.0
        self.tell(Tick(dict(self.heard)))
        for socket in flowing & self.kite.opened:
            aged = self.now - self.heard[socket]
            assert aged > LIMITS.liveness
        for socket in self.kite.opened - self.kite.silent:
            self.heard[socket] = self.now

    # ---- invariants -------------------------------------------------------------------------------------------------

    @invariant()
    def never_too_many_sockets(self) -> None:
        """Invariant 1."""
        assert len(self.kite.sockets) <= LIMITS.connections
        assert {s.id for s in self.state.sockets} == self.kite.sockets.keys(), "the machine has lost count"

    @invariant()
    def never_idle(self) -> None:
        """Wherever a socket could be live, one is, or is being dialled, or waits for its backoff or its turn."""
        state = self.state
        if state.token is None or not state.token.usable or state.rejected:
            return
        if any(socket.phase is not Phase.OPEN for socket in state.sockets):
            return
        for lane in range(state.lanes):
            waits = lane < len(state.retries) and state.retries[lane].at > self.told_at
            assert waits or any(s.lane == lane for s in state.sockets), "a lane was forgotten"

    def teardown(self) -> None:
        """Invariant 6: given peace, all is restored."""
        self.kite.silent.clear()
        if self.stored is None or not self.stored.usable:
            return
        self.kite.alive.add(self.stored)
        self.kite.forbidden.clear()
        for _ in range(LOTS_OF_TICKS):
            if live(self.state) and not self.kite.closing and self.state.token == self.stored:
                break
            self.tell(TokenSeen(self.stored))
            for socket in sorted(self.kite.closing):
                self.end(socket, Closed(socket))
            for socket in sorted(set(self.kite.sockets) - self.kite.opened):
                self.answer_dial(socket, trouble=False)
            while self.probes:
                self.answer_probe(answered=True)
            for socket in sorted(self.kite.opened - self.kite.closing):
                self.packet(socket, covered=True)
            self.pass_time(3.0)
        assert self.state.token == self.stored
        assert live(self.state), "peace came, and not every lane flows"
        assert settled(self.state, self.stored.generation)
        self.never_too_many_sockets()


@pytest.mark.promise(7)
def test_whatever_the_morning_brings_the_invariants_hold(measured: Callable[[str, object], None]) -> None:
    """Sequences of events, stale and doubled ones among them, checked after every step."""
    lived = 0

    class Counted(HandoverMachine):
        def teardown(self) -> None:
            super().teardown()
            nonlocal lived
            lived += 1

    run_state_machine_as_test(Counted, settings=settings(PROFILE, suppress_health_check=list(HealthCheck)))
    measured("sequences without a violation", lived)
