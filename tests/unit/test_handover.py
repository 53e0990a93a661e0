"""The handover, one decision at a time; `tests/property` holds it together under anything."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kite_relay.domain.handover import live, settled, step
from kite_relay.domain.handover_types import (
    Close,
    Closed,
    Covered,
    Delivered,
    Dial,
    DialFailed,
    DialOpened,
    DialRejected,
    FlushPassed,
    LanesWanted,
    Phase,
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
from tests.fakes.handover import ONE, START, TWO, Machine, flowing, token


@pytest.fixture
def machine() -> Machine:
    """Give one that has its first token and flows on it, on socket 1."""
    return flowing()


def test_the_first_token_is_dialled_and_asked_about_at_once() -> None:
    """Restored when it opens, live when it delivers."""
    machine = Machine()
    assert machine.tell(TokenSeen(ONE)) == [Probe(ONE), Dial(1, 0, ONE)]
    assert machine.tell(DialOpened(1)) == [Restore(1)]
    assert machine.told == [What.VERIFIED]
    assert not live(machine.state)
    assert machine.tell(Delivered(1)) == []
    assert live(machine.state)


def test_a_report_names_the_token_and_the_socket_with_its_lane_where_it_is_about_one() -> None:
    """What people read of a morning."""
    machine = Machine()
    for event, report in (
        (TokenSeen(ONE), Report(What.ADOPTED, ONE)),
        (DialOpened(1), Report(What.VERIFIED, ONE, 1, 0)),
        (ProbeAccepted(ONE), Report(What.VERIFIED, ONE)),
        (Closed(1), Report(What.LOST, ONE, 1, 0)),
        (DialFailed(2), Report(What.FAILED, ONE, 2, 0)),
    ):
        machine.tell(event)
        assert machine.reports == [report]


def test_nothing_is_dialled_without_a_token() -> None:
    """Whatever else happens."""
    assert Machine().tell_all([LanesWanted(3), FlushPassed(), Tick({})]) == []


def test_a_token_that_is_known_is_no_news(machine: Machine) -> None:
    """However often it is read."""
    before = machine.state
    assert machine.tell(TokenSeen(ONE)) == []
    assert (machine.state, machine.told) == (before, [])


def test_the_old_socket_goes_when_the_new_one_covers_it(machine: Machine) -> None:
    """Not before: not when it opens, not at its first packet."""
    assert machine.tell(TokenSeen(TWO)) == [Probe(TWO), Dial(2, 0, TWO)]
    assert machine.tell_all([DialOpened(2)]) == [Restore(2)]
    assert machine.tell(Delivered(2)) == []
    assert machine.tell(Covered(2)) == [Promote(2, 1), Close(1)]
    assert machine.tell(Closed(1)) == []
    assert live(machine.state)


def test_what_never_trades_holds_the_handover_up_for_two_seconds(machine: Machine) -> None:
    """Counted from the new socket's first packet."""
    machine.tell(TokenSeen(TWO))
    machine.tell_all([DialOpened(2), Delivered(2)])
    machine.now += 1.9
    assert machine.tell(Delivered(2)) == [], "a second packet begins no second wait"
    machine.now += 0.1
    assert machine.tell(Tick()) == [Promote(2, 1), Close(1)]


def test_a_stale_read_moves_nothing_and_an_insistent_store_is_believed(machine: Machine) -> None:
    """After 30 seconds of saying the same; another word in between begins the wait anew."""
    old = TokenId(0, START)
    older = TokenId(0, START - timedelta(days=1))
    assert machine.tell(TokenSeen(old)) == []
    machine.now += 29.0
    assert machine.tell(TokenSeen(old)) == []
    assert machine.tell(TokenSeen(older)) == []
    machine.now += 1.0
    assert machine.tell(TokenSeen(old)) == [], "the store said something else in between"
    machine.now += 29.0
    assert machine.tell_all([TokenSeen(ONE), TokenSeen(old)]) == [], "and the right thing in between"
    machine.now += 30.0
    assert Dial(2, 0, old) in machine.tell(TokenSeen(old))
    assert machine.told == [What.ADOPTED]


def test_of_two_tokens_the_later_written_is_the_newer() -> None:
    """A parameter that was made anew begins at version 1; within one instant the version decides."""
    assert TokenId(1, START + timedelta(seconds=1)).newer_than(TokenId(9, START))
    assert TokenId(2, START).newer_than(TokenId(1, START))
    assert not TokenId(1, START).newer_than(TokenId(1, START))


def test_a_logout_closes_all_and_dials_no_more(machine: Machine) -> None:
    """The token is gone; that is settled at once."""
    assert machine.tell(TokenSeen(token(2, usable=False))) == [Close(1)]
    assert machine.tell(Closed(1)) == []
    assert machine.wait(400) == []
    assert machine.tell(FlushPassed()) == []
    assert settled(machine.state, 2)


def test_when_a_generation_is_settled(machine: Machine) -> None:
    """Live, superseded, rejected; not while it is dialled, and not one that is still to come."""
    assert not settled(State(), 0)
    assert settled(machine.state, 1)
    assert not settled(machine.state, 2)
    machine.tell(TokenSeen(TWO))
    assert settled(machine.state, 1)
    assert not settled(machine.state, 2)
    machine.tell(DialRejected(2))
    assert settled(machine.state, 2)


def test_a_rejected_token_is_dialled_once_and_the_old_socket_stays(machine: Machine) -> None:
    """Asked about every five minutes, by REST; its yes after the rejection is good for one more dial."""
    machine.tell(TokenSeen(TWO))
    machine.tell(ProbeFailed(TWO))
    assert machine.tell(DialRejected(2)) == []
    assert machine.reports == [Report(What.REJECTED, TWO, 2, 0)]
    assert machine.wait(299, heard=[1]).count(Probe(TWO)) <= 4
    machine.tell(ProbeRejected(TWO))
    assert machine.reports == [Report(What.REJECTED, TWO)]
    assert machine.wait(299, heard=[1]) == []
    assert machine.wait(1, heard=[1]) == [Probe(TWO)]
    assert machine.tell(ProbeAccepted(TWO)) == [Dial(2 + 1, 0, TWO)]
    assert machine.told == [What.VERIFIED]


def test_after_a_rejected_token_the_next_one_is_dialled_at_once(machine: Machine) -> None:
    """Neither the rejection nor the failures before it are its own."""
    machine.tell_all([TokenSeen(TWO), DialFailed(2)])
    machine.wait(1, heard=[1])
    machine.tell(DialRejected(3))
    assert machine.tell(TokenSeen(token(3))) == [Probe(token(3)), Dial(4, 0, token(3))]


def test_an_answer_older_than_the_rejection_lifts_it_not(machine: Machine) -> None:
    """REST knows the token, the ticker refuses it: forbidden, and no second dial."""
    machine.tell(TokenSeen(TWO))
    machine.tell(DialRejected(2))
    assert machine.tell(ProbeAccepted(TWO)) == []
    assert machine.reports == [Report(What.FORBIDDEN, TWO)]
    assert machine.state.rejected


def test_a_token_that_rest_knew_before_the_ticker_refused_it_is_asked_about_again(machine: Machine) -> None:
    """After five minutes, like any rejected one."""
    machine.tell_all([TokenSeen(TWO), ProbeAccepted(TWO), DialRejected(2)])
    assert machine.wait(299, heard=[1]) == []
    assert machine.wait(1, heard=[1]) == [Probe(TWO)]


def test_an_answer_about_another_token_or_to_no_question_is_nothing(machine: Machine) -> None:
    """It came too late."""
    machine.tell(TokenSeen(TWO))
    for answer in (ProbeAccepted(ONE), ProbeRejected(ONE), ProbeFailed(ONE)):
        before = machine.state
        assert machine.tell(answer) == []
        assert machine.state == before
    machine.tell(ProbeAccepted(TWO))
    before = machine.state
    assert machine.tell(ProbeRejected(TWO)) == []
    assert machine.state == before


def test_kite_that_does_not_answer_is_asked_again_after_a_minute(machine: Machine) -> None:
    """Not sooner."""
    machine.tell(TokenSeen(TWO))
    machine.flow(2)
    machine.tell(Closed(1))
    machine.tell(ProbeFailed(TWO))
    assert machine.wait(59, heard=[2]) == []
    assert machine.wait(1, heard=[2]) == [Probe(TWO)]


def test_a_silent_socket_is_aborted_and_replaced_at_once(machine: Machine) -> None:
    """After more than five seconds without a byte; one that speaks stays."""
    machine.wait(20, heard=[1])
    assert machine.wait(5) == []
    machine.now += 0.1
    assert machine.tell(Tick(machine.heard)) == [Close(1, abort=True), Dial(2, 0, ONE)]
    assert machine.reports == [Report(What.SILENT, ONE, 1, 0)]


def test_the_handshakes_bytes_are_no_silence(machine: Machine) -> None:
    """A socket is judged from its opening on, however long that took."""
    machine.tell(TokenSeen(TWO))
    handshake = machine.now
    for _ in range(6):
        machine.wait(1, heard=[1])
    machine.tell(DialOpened(2))
    assert machine.tell(Tick({1: machine.now, 2: handshake})) == []


def test_nobody_is_called_silent_after_the_process_slept(machine: Machine) -> None:
    """Whoever was not heard while nobody listened gets five seconds from the waking on."""
    machine.wait(20, heard=[1])
    machine.now += 3600.0
    assert machine.tell(Tick(machine.heard)) == []
    assert machine.wait(5) == []
    assert machine.wait(1)[0] == Close(1, abort=True)


def test_a_dial_that_takes_more_than_ten_seconds_is_given_up() -> None:
    """And tried again after a wait, for the network may be in trouble."""
    machine = Machine()
    machine.tell_all([TokenSeen(ONE), ProbeAccepted(ONE)])
    assert machine.wait(10) == []
    machine.now += 0.1
    assert machine.tell(Tick(machine.heard)) == [Close(1, abort=True)]
    assert machine.told == [What.FAILED]
    assert machine.tell(DialFailed(1)) == []
    machine.now += 0.25
    assert machine.tell(Tick()) == [Dial(2, 0, ONE)]


def test_failures_in_a_row_wait_longer_each_time_up_to_a_minute() -> None:
    """Full jitter: a share, by chance, of twice as much each time."""
    machine = Machine()
    machine.roll = 1.0
    machine.tell_all([TokenSeen(ONE), ProbeAccepted(ONE)])
    waits = []
    for socket in range(1, 12):
        machine.tell(DialFailed(socket))
        waits.append(machine.state.retries[0].at - machine.now)
        machine.now = machine.state.retries[0].at
        assert machine.tell(Tick(machine.heard)) == [Dial(socket + 1, 0, ONE)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0]


def test_a_connection_that_was_calm_forgets_the_failures_before_it() -> None:
    """Its end is answered at once; one that dies young keeps the wait growing."""
    machine = Machine()
    machine.tell_all([TokenSeen(ONE), ProbeAccepted(ONE), DialFailed(1)])
    machine.wait(1)
    machine.flow(2)
    machine.wait(9, heard=[2])
    assert machine.tell(Closed(2)) == []
    assert machine.told == [What.LOST]
    machine.wait(1)
    machine.flow(3)
    machine.wait(10, heard=[3])
    assert machine.tell(Closed(3)) == [Dial(4, 0, ONE)]


def test_what_ends_as_commanded_is_no_failure(machine: Machine) -> None:
    """Nor is what ends a second time, or what was never there."""
    machine.tell(TokenSeen(TWO))
    machine.flow(2)
    machine.tell(Closed(1))
    assert machine.told == []
    before = machine.state
    for event in (Closed(1), DialFailed(9), DialRejected(9), DialOpened(9), DialOpened(2), Delivered(9), Covered(9)):
        assert machine.tell(event) == []
        assert machine.state == before


def test_the_end_of_a_socket_on_the_old_token_makes_no_dial_wait(machine: Machine) -> None:
    """Kite killed it with its token; the new one is dialled without a pause."""
    machine.tell_all([TokenSeen(TWO), Closed(1)])
    assert machine.told == [What.LOST]
    assert machine.state.retries == ()


def test_a_dial_with_a_token_that_is_no_more_the_newest_is_aborted(machine: Machine) -> None:
    """And its rejection says nothing of the newest."""
    machine.tell(TokenSeen(TWO))
    assert machine.tell(TokenSeen(token(3))) == [Close(2, abort=True), Probe(token(3)), Dial(3, 0, token(3))]
    assert machine.tell(DialRejected(2)) == []
    assert not machine.state.rejected
    assert [socket.id for socket in machine.state.sockets] == [1, 3]


def test_after_the_flush_what_opened_before_proves_nothing(machine: Machine) -> None:
    """Kite is asked; its yes lets a new socket take over, its no ends the token, silence is asked again."""
    assert machine.tell(FlushPassed()) == [Probe(ONE)]
    assert live(machine.state)
    assert machine.tell(ProbeAccepted(ONE)) == [Dial(2, 0, ONE)]
    assert machine.flow(2) == [Promote(2, 1), Close(1)]
    machine.tell(Closed(1))
    assert machine.wait(600, heard=[2]) == []


def test_after_the_flush_a_dead_token_is_rejected_and_its_socket_left_alone(machine: Machine) -> None:
    """It may flow on; nothing new is dialled."""
    machine.tell(FlushPassed())
    assert machine.tell(ProbeRejected(ONE)) == []
    assert machine.told == [What.REJECTED]
    assert machine.wait(299, heard=[1]) == []
    assert machine.tell(FlushPassed()) == [], "a rejected token is asked about anyway"
    assert machine.wait(1, heard=[1]) == [Probe(ONE)]
    assert machine.tell(ProbeAccepted(ONE)) == [Dial(2, 0, ONE)], "what opened before the flush is made anew after all"


def test_a_question_that_runs_is_not_asked_twice(machine: Machine) -> None:
    """Until it is answered."""
    machine.tell(TokenSeen(TWO))
    assert machine.state.probing
    assert [command for command in machine.wait(120, heard=[1]) if isinstance(command, Probe)] == []


def test_a_step_changes_nothing_but_what_it_returns(machine: Machine) -> None:
    """The state is a value."""
    before = machine.state
    step(before, TokenSeen(TWO), machine.now)
    assert before == machine.state == replace(before)
    assert all(socket.phase is Phase.OPEN for socket in before.sockets)
