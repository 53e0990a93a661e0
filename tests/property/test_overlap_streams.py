"""In an overlap each packet is passed on once and in order: whatever the packets are and however the sockets race."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kite_relay.domain.overlap import Confluence, TextOnce
from kite_relay.domain.ticks import Mode

LTP = struct.Struct(">II")


def ltp(token: int, price: int) -> bytes:
    """A packet that carries neither time nor number: only its bytes tell it from others."""
    return LTP.pack(token, price)


@dataclass
class Race:
    """One instrument's stream, and how two sockets bring it.

    Args:
        stream: all packets, in the order of the exchange.
        told: how much the old socket has brought when the new one is subscribed.
        joined: the packet that Kite answers the subscription with: the one the old socket brought last, or a later one.
        left: how much the old socket brings before it ends.
        turns: who brings the next packet; true for the old one.
    """

    stream: list[bytes]
    told: int
    joined: int
    left: int
    turns: list[bool]


@st.composite
def races(draw: st.DrawFn, *, distinct: bool, ahead: int, least: int = 0) -> Race:
    """A race in which the new socket joins up to `ahead` packets ahead of the old one, which reaches `least` beyond it.

    Where the packets are not distinct, prices come from a handful, so that A, B, A happens all the time.
    """
    prices = st.integers(1, 10**6) if distinct else st.integers(1, 3)
    stream = [ltp(1, price) for price in draw(st.lists(prices, min_size=3, max_size=30, unique=distinct))]
    # Kite sends a packet because something changed: no two neighbours are equal
    stream = [packet for packet, before in pairwise_from(stream) if packet != before]
    told = draw(st.integers(1, len(stream)))
    joined = draw(st.integers(told - 1, min(told - 1 + ahead, len(stream) - 1)))
    left = draw(st.integers(max(told, min(joined + least, len(stream))), len(stream)))
    turns = draw(st.lists(st.booleans(), min_size=2 * len(stream), max_size=2 * len(stream)))
    return Race(stream, told, joined, left, turns)


def pairwise_from(stream: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Give each packet with the one before it."""
    return zip(stream, [b"", *stream], strict=False)


def run(race: Race) -> list[bytes]:
    """Race the two; returns what is passed on."""
    passed: list[bytes] = []
    latest: dict[int, bytes] = {}

    def publish(packets: Iterable[tuple[int, bytes]]) -> None:
        for token, packet in packets:
            passed.append(packet)
            latest[token] = packet

    lane = Confluence(latest, {1: Mode.LTP})
    lane.opened(1, [1], 0.0)
    for packet in race.stream[: race.told]:
        publish(lane.merge(1, [(1, packet)], 0.0))
    lane.expire(11.0)
    lane.opened(2, [1], 11.0)
    # Kite answers the subscription with a snapshot in quote mode, and the mode with another
    snapshot = race.stream[race.joined]
    old = race.stream[race.told : race.left]
    new = [snapshot.ljust(44, b"\x07"), snapshot, *race.stream[race.joined + 1 :]]
    for turn in race.turns:
        if turn and old:
            publish(lane.merge(1, [(1, old.pop(0))], 11.0))
        elif new:
            publish(lane.merge(2, [(1, new.pop(0))], 11.0))
    for packet in old:
        publish(lane.merge(1, [(1, packet)], 11.0))
    publish(lane.closed(1, 11.0))
    for packet in new:
        publish(lane.merge(2, [(1, packet)], 11.0))
    return passed


@pytest.mark.promise(10)
@settings(max_examples=400)
@given(races(distinct=True, ahead=30, least=1))
def test_two_sockets_with_one_stream_give_that_stream(race: Race) -> None:
    """All of it, once, in order: whichever socket is later, by however much, and whoever overtakes whom meanwhile."""
    assert run(race) == race.stream


@pytest.mark.promise(10)
@settings(max_examples=400)
@given(races(distinct=False, ahead=0, least=1))
def test_prices_that_come_back_are_not_taken_for_late_ones(race: Race) -> None:
    """A, B, A in packets without a time: all of it, once, in order, if the new socket is not ahead of the old one."""
    assert run(race) == race.stream


@settings(max_examples=400)
@given(races(distinct=False, ahead=30, least=1))
def test_what_cannot_be_told_from_a_late_packet_is_held_back(race: Race) -> None:
    """Ahead as well, a few prices that alternate fit several places: nothing twice and nothing out of order even so.

    1 2 1 on the old socket, then 1 2 1 3 on the new one, may be 1 2 1 3 or 1 2 1 2 1 3: nothing in them tells.
    """
    passed = run(race)
    rest = iter(race.stream)
    assert all(packet in rest for packet in passed)
    assert len(passed) >= race.left


@settings(max_examples=400)
@given(races(distinct=True, ahead=30))
def test_an_old_socket_that_ends_early_takes_only_its_own_packets_with_it(race: Race) -> None:
    """What it had not brought, and the new one began after, nobody has; all else is passed on once and in order."""
    gone = range(race.left, race.joined)
    assert run(race) == [packet for place, packet in enumerate(race.stream) if place not in gone]


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=10, unique=True))
def test_a_silent_old_socket_holds_nothing_up_for_long(prices: list[int]) -> None:
    """What the new one brings is passed on after half a second, and from then on at once."""
    latest = {1: ltp(1, 0)}
    lane = Confluence(latest, {1: Mode.LTP})
    lane.opened(1, [1], 0.0)
    lane.expire(11.0)
    lane.opened(2, [1], 11.0)
    first, *rest = [ltp(1, price) for price in prices]
    assert not lane.merge(2, [(1, first)], 11.0)
    assert not lane.expire(11.4)
    assert not lane.covers(2)
    assert lane.expire(11.5) == [(1, first)]
    assert lane.covers(2)
    assert [packet for each in rest for _, packet in lane.merge(2, [(1, each)], 11.6)] == rest
    assert not lane.merge(1, [(1, rest[-1])], 11.6)


@settings(max_examples=200)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=20), st.data())
def test_after_a_gap_only_what_was_passed_on_already_is_held_back(prices: list[int], data: st.DataObject) -> None:
    """A new socket alone begins with Kite's snapshot; it is passed on unless it is what was passed on last."""
    last = data.draw(st.integers(1, 50))
    latest = {1: ltp(1, last)}
    lane = Confluence(latest, {1: Mode.LTP})
    lane.opened(1, [1], 0.0)
    passed = [packet for price in prices for _, packet in lane.merge(1, [(1, ltp(1, price))], 0.0)]
    # what repeats the last one passed on is dropped until the second news: a snapshot comes twice
    expected: list[int] = []
    for price in prices:
        if len(expected) >= 2 or price != (expected or [last])[-1]:
            expected.append(price)
    assert passed == [ltp(1, price) for price in expected]


@settings(max_examples=200)
@given(st.lists(st.sampled_from("abc"), max_size=20), st.lists(st.booleans(), min_size=40, max_size=40))
def test_texts_of_two_sockets_are_passed_on_once(texts: list[str], turns: list[bool]) -> None:
    """An order update that comes on each connection is one order update; two that read alike are two."""
    once = TextOnce()
    once.opened(1)
    once.opened(2)
    first, second, passed = list(texts), list(texts), []
    for turn in turns:
        queue, socket = (first, 1) if turn else (second, 2)
        if queue:
            text = queue.pop(0)
            if once.take(socket, text, 0.0):
                passed.append(text)
    passed += [text for text in first if once.take(1, text, 0.0)]
    passed += [text for text in second if once.take(2, text, 0.0)]
    assert sorted(passed) == sorted(texts)
