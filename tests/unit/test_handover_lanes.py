"""The handover of several connections, when Kite allows no more of them."""

import pytest

from kite_relay.domain.handover import live
from kite_relay.domain.handover_types import (
    Close,
    Closed,
    Covered,
    Delivered,
    Dial,
    DialFailed,
    DialOpened,
    LanesWanted,
    Limits,
    Probe,
    ProbeAccepted,
    ProbeFailed,
    ProbeRejected,
    Promote,
    Restore,
    Tick,
    TokenSeen,
)
from tests.fakes.handover import ONE, TWO, Machine, flowing, token


@pytest.fixture
def machine() -> Machine:
    """Give one that flows on its first token, on socket 1."""
    return flowing()


def test_the_lanes_are_at_least_one_and_at_most_what_kite_allows(machine: Machine) -> None:
    """What is asked beyond is another's decision."""
    machine.tell(LanesWanted(0))
    assert machine.state.lanes == 1
    machine.tell(LanesWanted(9))
    assert machine.state.lanes == Limits().connections


def test_a_lane_that_nobody_needs_is_closed(machine: Machine) -> None:
    """Its failures are no trouble either."""
    assert machine.tell(LanesWanted(2)) == [Dial(2, 1, ONE)]
    machine.flow(2)
    assert machine.tell(LanesWanted(1)) == [Close(2)]
    assert machine.tell(LanesWanted(2)) == [Dial(3, 1, ONE)]
    assert machine.tell(LanesWanted(1)) == [Close(3, abort=True)]
    machine.tell_all([Closed(2), DialFailed(3)])
    assert machine.tell(LanesWanted(2)) == [Dial(4, 1, ONE)]


@pytest.fixture
def full() -> Machine:
    """Give one whose three lanes flow on all the connections that Kite allows."""
    machine = Machine()
    machine.tell_all([LanesWanted(3), TokenSeen(ONE), ProbeAccepted(ONE)])
    for socket in (1, 2, 3):
        machine.flow(socket)
    assert live(machine.state)
    return machine


def test_with_all_connections_in_use_one_lane_at_a_time_is_broken_and_made(full: Machine) -> None:
    """And only once Kite has accepted the new token."""
    assert full.tell(TokenSeen(TWO)) == [Probe(TWO)]
    assert full.tell(ProbeAccepted(TWO)) == [Close(1)]
    assert full.tell(Closed(1)) == [Dial(4, 0, TWO)]
    assert full.tell(DialOpened(4)) == [Restore(4)]
    assert full.tell(Delivered(4)) == [], "the next lane waits until this one is whole"
    assert full.tell(Covered(4)) == [Close(2)]


def test_with_all_connections_in_use_a_token_that_kite_refuses_breaks_nothing(full: Machine) -> None:
    """All three lanes stay on the old one."""
    full.tell(TokenSeen(TWO))
    assert full.tell(ProbeRejected(TWO)) == []
    assert full.wait(60, heard=[1, 2, 3]) == []


def test_with_all_connections_in_use_a_verdict_is_asked_for(full: Machine) -> None:
    """Where the answer is lost, it is asked again after a minute; nothing is broken meanwhile."""
    full.tell(TokenSeen(TWO))
    assert full.tell(ProbeFailed(TWO)) == []
    assert full.wait(59, heard=[1, 2, 3]) == []
    assert full.wait(1, heard=[1, 2, 3]) == [Probe(TWO)]


def test_a_lane_without_a_socket_takes_the_place_of_a_second_one_elsewhere(machine: Machine) -> None:
    """Two lanes in the middle of their handovers, a third is wanted: one gives its older socket up."""
    machine.tell(LanesWanted(2))
    machine.flow(2)
    machine.tell(TokenSeen(TWO))
    machine.tell(DialOpened(3))
    commands = machine.tell(LanesWanted(3))
    assert commands == [Promote(3, 1), Close(1)]
    assert machine.tell(Tick(machine.heard)) == [], "one is enough"
    assert machine.tell(Closed(1)) == [Dial(4, 2, TWO)]


def test_of_three_sockets_on_one_lane_the_newest_makes_way_for_another_lane(machine: Machine) -> None:
    """Two tokens came in a row before either covered; then a second lane is wanted."""
    machine.tell_all([TokenSeen(TWO), DialOpened(2), TokenSeen(token(3)), DialOpened(3)])
    assert machine.tell(LanesWanted(2)) == [Promote(3, 2), Close(1), Close(2)]


def test_the_lanes_without_any_socket_are_dialled_first(machine: Machine) -> None:
    """A lane that flows on the old token can wait; one that waits for its backoff holds no other up."""
    machine.tell(LanesWanted(2))
    assert machine.tell(TokenSeen(TWO)) == [Close(2, abort=True), Probe(TWO), Dial(3, 1, TWO)]
    assert machine.tell(DialFailed(3)) == [Dial(4, 0, TWO)]
    assert machine.tell(DialFailed(4)) == []
    machine.now += 0.25
    assert machine.tell(Tick()) == [Dial(5, 1, TWO)]
