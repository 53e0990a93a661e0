"""The token handover: a pure machine, (state, input, now, roll) -> (state, commands).

Every step first takes the input as a fact, then settles: it compares what stands with what should stand and commands
the difference. So no order of inputs is special, a repeated one changes nothing, and a start is the same path as a
recovery. docs/handover.md tells why each rule is so.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

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
    Report,
    Restore,
    Retry,
    Socket,
    State,
    Tick,
    TokenId,
    TokenSeen,
    What,
)

LIMITS = Limits()


def step(
    state: State, event: Input, now: float, roll: float = 0.0, limits: Limits = LIMITS
) -> tuple[State, list[Command]]:
    """Take one input.

    Args:
        state: what the last step returned; at first `State()`.
        event: what happened.
        now: seconds of a monotonic clock.
        roll: a fresh random number in [0, 1): the jitter of a backoff that may start here.
        limits: how patient to be.
    """
    work = _Step(state, now, roll, limits)
    work.take(event)
    work.settle()
    return work.state, work.commands


def live(state: State) -> bool:
    """Tell whether every lane flows on the newest token."""
    return state.token is not None and all(
        any(s.lane == lane and _proven(state, s) for s in state.sockets) for lane in range(state.lanes)
    )


def settled(state: State, generation: int) -> bool:
    """Tell whether nothing more is to be done for a generation: it is live, superseded, logged out or rejected."""
    token = state.token
    if token is None or token.generation < generation:
        return False
    return token.generation > generation or not token.usable or state.rejected or live(state)


def _proven(state: State, socket: Socket) -> bool:
    return (
        socket.phase is Phase.OPEN
        and socket.token == state.token
        and (socket.covered or socket.delivered_at is not None)
    )


class _Step:
    """The working copy of one step: facts first, then settling."""

    def __init__(self, state: State, now: float, roll: float, limits: Limits) -> None:
        self.state = state
        self.now = now
        self.roll = roll
        self.limits = limits
        self.commands: list[Command] = []

    # ---- facts ------------------------------------------------------------------------------------------------------

    def take(self, event: Input) -> None:  # noqa: C901 - one flat line per input reads better than a table
        """Take the input as a fact."""
        match event:
            case TokenSeen(token):
                self._token_seen(token)
            case LanesWanted(count):
                self._set(lanes=max(1, min(count, self.limits.connections)))
            case Tick(heard):
                self._tick(dict(heard))
            case DialOpened(socket):
                self._opened(socket)
            case DialRejected(socket):
                self._dial_rejected(socket)
            case DialFailed(socket) | Closed(socket):
                self._gone(socket)
            case Delivered(socket):
                self._delivered(socket)
            case Covered(socket):
                self._covered(socket)
            case ProbeAccepted(token) | ProbeRejected(token) | ProbeFailed(token):
                self._probed(event, token)
            case FlushPassed():
                self._flush_passed()
            case _:
                assert_never(event)

    def _token_seen(self, token: TokenId) -> None:
        known = self.state.token
        if token == known:
            self._set(doubted=None)
        elif known is None or token.newer_than(known) or self._insists(token):
            self._adopt(token)

    def _insists(self, token: TokenId) -> bool:
        """A read that looks older is doubted once; a store that says it for long enough is right, and we are not."""
        doubted = self.state.doubted
        if doubted is None or doubted[0] != token:
            self._set(doubted=(token, self.now))
            return False
        return self.now - doubted[1] >= self.limits.doubt

    def _adopt(self, token: TokenId) -> None:
        self._set(
            token=token,
            rejected=False,
            verified=False,
            probing=False,
            probe_at=self.now if token.usable else None,
            doubted=None,
            retries=(),
        )
        self._report(What.ADOPTED, token)

    def _opened(self, id_: int) -> None:
        socket = self._find(id_, Phase.DIALLING)
        if socket is None:
            return
        self._update(socket, phase=Phase.OPEN, since=self.now)
        self.commands.append(Restore(id_))
        self._set(verified=True, rejected=False)
        self._report(What.VERIFIED, socket.token, socket)

    def _dial_rejected(self, id_: int) -> None:
        socket = self._find(id_, Phase.DIALLING, Phase.CLOSING)
        if socket is None:
            return
        self._remove(socket)
        if socket.token == self.state.token:
            self._reject(socket.token, socket)

    def _reject(self, token: TokenId, socket: Socket | None = None) -> None:
        at = self.state.probe_at
        self._set(rejected=True)
        if at is None or at <= self.now:
            self._set(probe_at=self.now + self.limits.probe_every)
        self._report(What.REJECTED, token, socket)

    def _gone(self, id_: int) -> None:
        socket = self._find(id_, *Phase)
        if socket is None:
            return
        self._remove(socket)
        if socket.phase is not Phase.CLOSING:
            self._report(What.LOST if socket.phase is Phase.OPEN else What.FAILED, socket.token, socket)
            self._back_off(socket)

    def _back_off(self, socket: Socket) -> None:
        """A socket that was calm is replaced at once; any failure after that waits, with full jitter."""
        if not self._fresh(socket):
            return
        failures = self._retry(socket.lane).failures
        if socket.phase is Phase.OPEN and self.now - socket.since >= self.limits.calm_after:
            failures = 0
        dialled_in_vain = socket.phase is Phase.DIALLING
        most = min(self.limits.backoff_cap, self.limits.backoff_base * 2.0 ** min(failures, 30))
        delay = self.roll * most if failures or dialled_in_vain else 0.0
        self._set_retry(socket.lane, Retry(failures + 1, self.now + delay))

    def _delivered(self, id_: int) -> None:
        socket = self._find(id_, Phase.OPEN)
        if socket is not None and socket.delivered_at is None:
            self._update(socket, delivered_at=self.now)

    def _covered(self, id_: int) -> None:
        socket = self._find(id_, Phase.OPEN)
        if socket is not None:
            self._update(socket, covered=True)

    def _probed(self, event: ProbeAccepted | ProbeRejected | ProbeFailed, token: TokenId) -> None:
        if token != self.state.token or not self.state.probing:
            return
        self._set(probing=False)
        if isinstance(event, ProbeAccepted):
            self._probe_accepted(token)
        elif isinstance(event, ProbeRejected):
            self._reject(token)
        else:
            self._set(probe_at=self.now + self.limits.probe_retry)

    def _probe_accepted(self, token: TokenId) -> None:
        """Kite knows the token. An answer to a question older than the rejection does not lift it."""
        for socket in self.state.sockets:
            self._update(socket, stale=socket.before_flush)
        if self.state.rejected and not self.state.reprieve:
            self._report(What.FORBIDDEN, token)
            return
        self._set(verified=True, rejected=False, probe_at=None)
        self._report(What.VERIFIED, token)

    def _flush_passed(self) -> None:
        token = self.state.token
        if token is None or not token.usable or self.state.rejected:
            return  # a rejected token is asked about anyway, as rarely as it must be
        for socket in self.state.sockets:
            self._update(socket, before_flush=True)
        self._set(probe_at=self.now, probing=False)

    def _tick(self, heard: dict[int, float]) -> None:
        last = self.state.ticked_at
        if last is not None and self.now - last > self.limits.pause:
            self._set(deaf_until=self.now)
        self._set(ticked_at=self.now)
        for socket in self.state.sockets:
            if socket.phase is Phase.OPEN:
                self._judge_silence(socket, heard.get(socket.id, socket.since))
            elif socket.phase is Phase.DIALLING and self.now - socket.since > self.limits.dial_timeout:
                self._abandon(socket, What.FAILED)

    def _judge_silence(self, socket: Socket, heard_at: float) -> None:
        if self.now - max(heard_at, socket.since, self.state.deaf_until) > self.limits.liveness:
            self._abandon(socket, What.SILENT)

    def _abandon(self, socket: Socket, what: What) -> None:
        self._report(what, socket.token, socket)
        self._back_off(socket)
        self._close(socket, abort=True)

    # ---- settling ---------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Command the difference between what stands and what should stand."""
        token = self.state.token
        if token is None:
            return
        if not token.usable:
            for socket in self._standing():
                self._close(socket)
            return
        for socket in self._standing():
            if socket.lane >= self.state.lanes or (socket.phase is Phase.DIALLING and socket.token != token):
                self._close(socket, abort=socket.phase is Phase.DIALLING)
        self._promote()
        self._probe(token)
        self._dial(token)

    def _promote(self) -> None:
        for new in self._standing():
            if not (self._fresh(new) and self._ready(new)):
                continue
            for old in self._standing():
                if old.lane == new.lane and old.id != new.id and old.phase is Phase.OPEN and not self._fresh(old):
                    self.commands.append(Promote(new.id, old.id))
                    self._close(old)

    def _ready(self, socket: Socket) -> bool:
        if socket.phase is not Phase.OPEN:
            return False
        waited = None if socket.delivered_at is None else self.now - socket.delivered_at
        return socket.covered or (waited is not None and waited >= self.limits.cover_deadline)

    def _probe(self, token: TokenId) -> None:
        at = self.state.probe_at
        if at is not None and at <= self.now and not self.state.probing:
            self._set(probing=True, probe_at=None, reprieve=self.state.rejected)
            self.commands.append(Probe(token))

    def _dial(self, token: TokenId) -> None:
        """Dial for one lane that lacks a socket on the newest token: one dial at a time, lanes without any first."""
        if self.state.rejected or any(s.phase is Phase.DIALLING for s in self.state.sockets):
            return
        lanes = [lane for lane in range(self.state.lanes) if not any(map(self._fresh, self._on(lane)))]
        lanes.sort(key=lambda lane: bool(list(self._on(lane))))
        for lane in lanes:
            if self._retry(lane).at > self.now:
                continue
            if len(self.state.sockets) < self.limits.connections:
                self._dial_lane(lane, token)
            elif not any(self._on(lane)):
                self._make_way()
            elif self.state.lanes == self.limits.connections:
                self._make_room(lane)
            return

    def _dial_lane(self, lane: int, token: TokenId) -> None:
        id_ = self.state.next_id
        socket = Socket(id_, lane, token, Phase.DIALLING, self.now)
        self._set(sockets=(*self.state.sockets, socket), next_id=id_ + 1)
        self.commands.append(Dial(id_, lane, token))

    def _make_way(self) -> None:
        """A lane has nothing while others have two sockets: those give up the older, if the newer stands."""
        if any(s.phase is not Phase.OPEN for s in self.state.sockets):
            return
        for new in self._standing():
            older = [s for s in self._on(new.lane) if s.id < new.id]
            if older and not any(s.id > new.id for s in self._on(new.lane)):
                self.commands.append(Promote(new.id, older[-1].id))
                for socket in older:
                    self._close(socket)

    def _make_room(self, lane: int) -> None:
        """All connections are in use: break one lane before making it, but only for a token that Kite has accepted.

        And only when every other lane is whole, so that never more than one share of the instruments is without.
        """
        whole = all(s.phase is Phase.OPEN and (self._ready(s) or not self._fresh(s)) for s in self.state.sockets)
        if self.state.verified and whole:
            for old in self._on(lane):
                self._close(old)

    # ---- small things -----------------------------------------------------------------------------------------------

    def _standing(self) -> list[Socket]:
        return [s for s in self.state.sockets if s.phase is not Phase.CLOSING]

    def _on(self, lane: int) -> Iterator[Socket]:
        return (s for s in self._standing() if s.lane == lane)

    def _fresh(self, socket: Socket) -> bool:
        return socket.token == self.state.token and not socket.stale

    def _find(self, id_: int, *phases: Phase) -> Socket | None:
        return next((s for s in self.state.sockets if s.id == id_ and s.phase in phases), None)

    def _retry(self, lane: int) -> Retry:
        retries = self.state.retries
        return retries[lane] if lane < len(retries) else Retry()

    def _set_retry(self, lane: int, retry: Retry) -> None:
        retries = [self._retry(n) for n in range(self.limits.connections)]
        retries[lane] = retry
        self._set(retries=tuple(retries))

    def _close(self, socket: Socket, *, abort: bool = False) -> None:
        self._update(socket, phase=Phase.CLOSING)
        self.commands.append(Close(socket.id, abort))

    def _report(self, what: What, token: TokenId, socket: Socket | None = None) -> None:
        where = (None, None) if socket is None else (socket.id, socket.lane)
        self.commands.append(Report(what, token, *where))

    def _update(self, socket: Socket, **changes: object) -> None:
        changed = replace(socket, **changes)  # type: ignore[arg-type]  # the callers name fields of Socket
        self._set(sockets=tuple(changed if s.id == socket.id else s for s in self.state.sockets))

    def _remove(self, socket: Socket) -> None:
        self._set(sockets=tuple(s for s in self.state.sockets if s.id != socket.id))

    def _set(self, **changes: object) -> None:
        self.state = replace(self.state, **changes)  # type: ignore[arg-type]  # the callers name fields of State
