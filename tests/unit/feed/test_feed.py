"""The feed against sockets that the test plays."""

import struct
from collections.abc import Callable
from datetime import timedelta

import pytest

from kite_relay.domain.errors import LimitExceededError
from kite_relay.domain.ticks import Mode
from kite_relay.domain.token import LOGGED_OUT, AccessToken
from tests.fakes.canaries import access_token
from tests.fakes.kite_lines import FakeLine, FakeUpstream, Recorder
from tests.fakes.trouble import MORNING, FakeClock
from worker.feed import Feed

CLOSED_MARKET = timedelta(hours=72)


def packet(token: int, price: int, size: int = 8) -> bytes:
    """Make a packet."""
    return struct.pack(">II", token, price).ljust(size, b"\x00")


class Rig:
    """A feed with everything around it played by the test."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.upstream = FakeUpstream()
        self.ear = Recorder()
        self.pending: list[Callable[[], None]] = []
        self.feed = Feed(
            upstream=self.upstream,
            clock=self.clock,
            roll=lambda: 0.5,
            watcher=self.ear,
            later=lambda _, call: self.pending.append(call),
        )
        self.feed.bus.attach(self.ear)

    def want(self, *tokens: int, mode: Mode = Mode.LTP, owner: str = "bot") -> None:
        """Want instruments, and let the batch go out."""
        self.feed.bus.want(owner, dict.fromkeys(tokens, mode))
        self.let_go()

    def let_go(self) -> None:
        """Let what waits for the batch's end happen."""
        for call in self.pending:
            call()
        self.pending.clear()

    def token(self, generation: int, value: str = "") -> AccessToken:
        """Let the store be read."""
        written = MORNING + timedelta(minutes=generation)
        token = AccessToken(value or access_token(generation), generation, written)
        self.feed.token_seen(token)
        return token

    def live(self, generation: int, *tokens: int) -> FakeLine:
        """Bring a generation to life, with a first packet of each instrument."""
        self.token(generation)
        line = self.upstream.lines[-1]
        line.events.opened()
        if tokens:
            line.deliver(*(packet(token, 100) for token in tokens))
        return line

    def pass_time(self, seconds: float, *, heartbeats: bool = True, step: float = 0.5) -> None:
        """Let time pass with Kite's heartbeats."""
        for _ in range(int(seconds / step)):
            self.clock.advance(step)
            if heartbeats:
                for line in self.upstream.standing:
                    line.events.frame(b"\x00")
            self.feed.tick()


@pytest.fixture
def rig() -> Rig:
    """Give a rig."""
    return Rig()


@pytest.mark.promise(10)
def test_the_new_socket_is_made_before_the_old_one_is_broken(rig: Rig) -> None:
    """All that the old one delivered must come on the new one first; then the old one goes, and nothing is missed."""
    rig.want(1, 2)
    old = rig.live(1, 1, 2)
    rig.token(2)
    new = rig.upstream.lines[-1]
    new.events.opened()
    new.deliver(packet(1, 100))
    assert not old.closed
    assert new.modes == {1: Mode.LTP, 2: Mode.LTP}
    old.deliver(packet(1, 101))
    new.deliver(packet(2, 100), packet(1, 101), packet(1, 102))
    assert old.closed
    assert rig.feed.live
    assert rig.ear.packets == [packet(1, 100), packet(2, 100), packet(1, 101), packet(1, 102)]
    assert rig.ear.named("on_gap") == []


def test_after_a_deadline_the_new_socket_takes_over_without_the_quiet_instruments(rig: Rig) -> None:
    """An instrument that Kite does not deliver anew does not hold the move up for ever."""
    rig.want(1, 2)
    old = rig.live(1, 1, 2)
    rig.token(2)
    rig.upstream.lines[-1].events.opened()
    rig.upstream.lines[-1].deliver(packet(1, 100))
    rig.pass_time(2.5)
    assert old.closed


@pytest.mark.promise(11)
def test_a_rejected_token_leaves_the_old_socket_alone(rig: Rig) -> None:
    """One attempt; then nothing but a rare question, and ticks flow on."""
    rig.want(1)
    old = rig.live(1, 1)
    token = rig.token(2)
    rig.upstream.lines[-1].events.rejected()
    rig.feed.probed(token, answer=False)
    rig.pass_time(3600, step=2.0)
    assert not old.closed
    assert len(rig.upstream.lines) == 2
    questions = [asked for (asked,) in rig.ear.named("on_probe") if asked.generation == 2]
    assert len(questions) == 2  # the second was asked and never answered: no third before it is
    rig.token(3)
    assert rig.upstream.lines[-1].token == access_token(3)


@pytest.mark.promise(11)
def test_a_day_of_rejection_costs_at_most_twelve_questions_an_hour(
    rig: Rig, measured: Callable[[str, object], None]
) -> None:
    """And not one dial more."""
    token = rig.token(1)
    rig.upstream.lines[-1].events.rejected()
    for _ in range(24 * 60):
        asked = len(rig.ear.named("on_probe"))
        rig.feed.probed(token, answer=False)
        rig.pass_time(60, step=2.5)
        assert len(rig.ear.named("on_probe")) - asked <= 1
    measured("dials of a rejected token in a day", len(rig.upstream.lines))
    measured("questions in a day", len(rig.ear.named("on_probe")))
    assert len(rig.upstream.lines) == 1
    assert len(rig.ear.named("on_probe")) <= 24 * 12 + 1


def test_a_newer_token_wins_while_one_is_being_dialled(rig: Rig) -> None:
    """The dial in progress is dropped, whatever comes of it."""
    rig.token(1)
    first = rig.upstream.lines[-1]
    rig.token(2)
    assert first.closed
    assert rig.upstream.lines[-1].token == access_token(2)


def test_a_killed_socket_is_replaced_at_once_and_the_gap_is_told(rig: Rig) -> None:
    """Kite kills the old socket when the new token is minted: clients stay, and the gap is a number."""
    rig.want(1)
    old = rig.live(1, 1)
    rig.pass_time(20)
    old.events.closed("Kite")
    old.closed = True
    assert rig.upstream.lines[-1] is not old
    rig.clock.advance(1.5)
    rig.upstream.lines[-1].events.opened()
    rig.upstream.lines[-1].deliver(packet(1, 105))
    ((generation, seconds),) = rig.ear.named("on_gap")
    assert (generation, seconds) == (1, pytest.approx(1.5, abs=0.6))
    assert rig.ear.packets[-1] == packet(1, 105)


def test_network_trouble_backs_off_for_ever(rig: Rig) -> None:
    """A day without network: dials come ever more rarely, but never less than once a minute."""
    rig.token(1)
    for _ in range(24 * 60 * 2):
        for line in rig.upstream.standing:
            line.closed = True
            line.events.failed("no route")
        rig.pass_time(30, step=2.5)
    assert 24 * 60 <= len(rig.upstream.lines) <= 24 * 120 + 10
    while not rig.upstream.standing:
        rig.pass_time(0.5)
    rig.upstream.lines[-1].events.opened()
    assert rig.feed.connected


@pytest.mark.promise(12)
def test_a_half_open_socket_is_found_within_ten_seconds(rig: Rig, measured: Callable[[str, object], None]) -> None:
    """No byte for five seconds on an open socket: it is dead, whatever TCP says."""
    rig.want(1)
    old = rig.live(1, 1)
    rig.pass_time(60)
    silent_since = rig.clock.monotonic()
    while not old.closed:
        rig.pass_time(0.5, heartbeats=False)
        assert rig.clock.monotonic() - silent_since <= 10
    measured("seconds to find a half-open socket", rig.clock.monotonic() - silent_since)
    assert len(rig.upstream.lines) == 2


@pytest.mark.promise(12)
def test_a_week_end_of_heartbeats_causes_no_reconnect(rig: Rig, measured: Callable[[str, object], None]) -> None:
    """A quiet market is not a dead one."""
    rig.want(1)
    rig.live(1, 1)
    rig.feed.probed(rig.feed.token, answer=True)  # type: ignore[arg-type]
    for _ in range(int(CLOSED_MARKET.total_seconds() / 2.5)):
        rig.clock.advance(2.5)
        rig.upstream.lines[-1].events.frame(b"\x00")
        rig.feed.tick()
    measured("reconnects in 72 h of a closed market", len(rig.upstream.lines) - 1)
    assert len(rig.upstream.lines) == 1
    assert rig.feed.live


@pytest.mark.promise(16)
@pytest.mark.parametrize("step", [3600, -3600])
def test_a_clock_that_steps_in_the_middle_of_a_handover_changes_nothing(rig: Rig, step: int) -> None:
    """NTP corrects the wall clock by an hour while two sockets overlap: the same sockets, the same packets."""
    rig.want(1, 2)
    old = rig.live(1, 1, 2)
    rig.token(2)
    new = rig.upstream.lines[-1]
    rig.clock.step_wall(step)
    rig.pass_time(1)
    new.events.opened()
    rig.clock.step_wall(-2 * step)
    rig.pass_time(1)
    new.deliver(packet(1, 100), packet(2, 100))
    rig.clock.step_wall(step)
    rig.pass_time(60)
    assert old.closed
    assert rig.upstream.lines == [old, new]
    assert rig.upstream.standing == [new]
    assert rig.ear.packets == [packet(1, 100), packet(2, 100)]
    assert rig.ear.named("on_gap") == []


@pytest.mark.promise(16)
def test_a_process_that_slept_does_not_blame_its_sockets(rig: Rig) -> None:
    """After a pause every socket gets the full time again; a stepped wall clock is not even noticed."""
    rig.want(1)
    rig.live(1, 1)
    rig.pass_time(10)
    rig.clock.advance(300)
    rig.feed.tick()
    rig.clock.step_wall(3600)
    rig.feed.tick()
    rig.pass_time(10)
    assert len(rig.upstream.lines) == 1


def test_after_the_flush_the_morning_socket_is_verified_and_made_anew(rig: Rig) -> None:
    """Kite may leave a dead token's socket open and silent: past 07:30 nothing older proves anything."""
    rig.clock.step_wall(-2 * 3600)  # 06:45 IST
    rig.want(1)
    old = rig.live(1, 1)
    rig.feed.probed(rig.feed.token, answer=True)  # type: ignore[arg-type]
    asked = len(rig.ear.named("on_probe"))
    rig.pass_time(50 * 60, step=2.0)
    assert len(rig.ear.named("on_probe")) == asked + 1
    assert len(rig.upstream.lines) == 1
    rig.feed.probed(rig.feed.token, answer=True)  # type: ignore[arg-type]
    assert len(rig.upstream.lines) == 2
    assert not old.closed
    rig.upstream.lines[-1].events.opened()
    rig.upstream.lines[-1].deliver(packet(1, 100))
    assert old.closed


def test_a_mute_socket_is_a_finding(rig: Rig) -> None:
    """Connected, subscribed, and nothing comes."""
    rig.want(1)
    rig.live(1)
    assert not rig.feed.mute
    rig.pass_time(11)
    assert rig.feed.mute
    rig.upstream.lines[-1].deliver(packet(1, 100))
    assert not rig.feed.mute


def test_a_logout_ends_every_socket(rig: Rig) -> None:
    """And nothing is dialled until the next login."""
    rig.want(1)
    line = rig.live(1, 1)
    rig.token(2, LOGGED_OUT)
    rig.pass_time(10)
    assert line.closed
    assert len(rig.upstream.lines) == 1


def test_order_updates_pass_once_however_many_sockets_bring_them(rig: Rig) -> None:
    """In the overlap both sockets bring each text; what no client can read is dropped."""
    rig.want(1, 2)
    old = rig.live(1, 1, 2)
    rig.token(2)
    new = rig.upstream.lines[-1]
    new.events.opened()
    for line in (old, new):
        line.events.text('{"type": "order", "data": {"order_id": "1"}}')
        line.events.text("[1, 2]")
    assert rig.ear.texts == ['{"type": "order", "data": {"order_id": "1"}}']
    assert rig.ear.named("on_rejected_frame") == [("text",), ("text",)]


@pytest.mark.parametrize("frame", [b"\x00\x01\x00", b"\x00\x02\x00\x08" + bytes(8), bytes(50), b"\xff" * 9])
def test_a_malformed_frame_is_dropped_and_named(rig: Rig, frame: bytes) -> None:
    """The socket stays; the next good frame passes."""
    rig.want(1)
    line = rig.live(1, 1)
    line.events.frame(frame)
    line.deliver(packet(1, 101))
    assert rig.ear.packets[-1] == packet(1, 101)
    assert not line.closed


def test_wants_of_one_moment_go_out_together(rig: Rig) -> None:
    """A burst of changes is one set of messages, in what Kite needs last."""
    line = rig.live(1)
    for token in range(1, 1500):
        rig.feed.bus.want(f"client {token}", {token: Mode.FULL})
    rig.feed.bus.want("client 1", {})
    assert len(rig.pending) == 1
    rig.let_go()
    assert [(ask.action, len(ask.tokens)) for ask in line.asked if ask.action != "unsubscribe"] == [
        ("subscribe", 1000),
        ("subscribe", 498),
        ("mode", 1000),
        ("mode", 498),
    ]
    assert len(line.modes) == 1498


def test_beyond_nine_thousand_the_asker_is_refused_and_nothing_else_happens(rig: Rig) -> None:
    """The refusal says by how much."""
    rig.want(*range(1, 9001))
    with pytest.raises(LimitExceededError, match="9001"):
        rig.feed.bus.want("one more", {99_999: Mode.LTP})
    assert len(rig.feed.subscriptions.modes) == 9000
    assert rig.feed.state.lanes == 3
