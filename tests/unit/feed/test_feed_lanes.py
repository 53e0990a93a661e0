"""More than one connection: spread, handed over one by one, freed when there is room."""

import pytest

from kite_relay.domain.ticks import Mode
from tests.fakes.canaries import access_token
from tests.unit.feed.test_feed import Rig, packet


def bring_up(rig: Rig, generation: int) -> None:
    """Answer dials as they come until every lane is live on a generation."""
    rig.token(generation)
    most = 0
    for _ in range(20):
        for line in rig.upstream.standing:
            if not line.modes:
                line.events.opened()
                line.deliver(*(packet(token, generation) for token in line.modes))
        most = max(most, len(rig.upstream.standing))
        rig.pass_time(1)
    assert most <= 3, "more sockets than Kite allows"


def verified(rig: Rig) -> None:
    """Let Kite's REST side know the token."""
    token = rig.feed.token
    assert token is not None
    rig.feed.probed(token, answer=True)


@pytest.mark.promise(10)
def test_two_lanes_move_one_by_one_through_the_spare_connection() -> None:
    """4000 instruments need two connections, so a third is there for the overlap: nothing is missed."""
    rig = Rig()
    rig.want(*range(1, 4001))
    bring_up(rig, 1)
    bring_up(rig, 2)
    assert rig.feed.live
    assert [line.token for line in rig.upstream.standing] == [access_token(2), access_token(2)]
    assert sorted(t for line in rig.upstream.standing for t in line.modes) == list(range(1, 4001))
    assert rig.ear.named("on_gap") == []


def test_three_lanes_break_one_at_a_time_and_only_for_a_token_that_kite_accepts() -> None:
    """With no spare connection a third of the instruments pauses for one dial; the others flow on."""
    rig = Rig()
    rig.want(*range(1, 9001))
    bring_up(rig, 1)
    rig.token(2)
    rig.pass_time(30)
    assert {line.token for line in rig.upstream.standing} == {access_token(1)}, "broke a lane for an unknown token"
    verified(rig)
    bring_up(rig, 2)
    assert {line.token for line in rig.upstream.standing} == {access_token(2)}
    assert sorted(t for line in rig.upstream.standing for t in line.modes) == list(range(1, 9001))
    assert len(rig.ear.named("on_gap")) == 3


def test_three_lanes_stay_on_the_old_token_when_the_new_one_is_rejected() -> None:
    """Nothing is broken for a token that is dead."""
    rig = Rig()
    rig.want(*range(1, 9001))
    bring_up(rig, 1)
    before = list(rig.upstream.standing)
    token = rig.token(2)
    rig.feed.probed(token, answer=False)
    rig.pass_time(60)
    assert rig.upstream.standing == before


def test_an_unsubscribe_frees_a_connection_without_a_gap() -> None:
    """What is left moves to where there is room: subscribed there first, left only when it comes there."""
    rig = Rig()
    rig.want(*range(1, 6002))
    bring_up(rig, 1)
    assert len(rig.upstream.standing) == 3
    rig.feed.bus.want("bot", dict.fromkeys(range(3001, 6002), Mode.LTP))
    rig.let_go()
    last = rig.upstream.standing[-1]
    assert list(last.modes) == [6001]
    rig.pass_time(7)
    target = rig.upstream.standing[0]
    assert target.modes == {6001: Mode.LTP}
    assert not last.closed
    rig.ear.packets.clear()
    last.deliver(packet(6001, 7))
    target.deliver(packet(6001, 7), packet(6001, 8))
    last.deliver(packet(6001, 8))
    rig.pass_time(1)
    assert last.closed
    target.deliver(packet(6001, 9))
    assert rig.ear.packets == [packet(6001, 7), packet(6001, 8), packet(6001, 9)]
    assert rig.feed.state.lanes == 2
