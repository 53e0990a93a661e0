"""In an overlap each packet is passed on once and in order: whatever the packets are and however the sockets race."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kite_relay.domain.overlap import Confluence, TextOnce
from kite_relay.domain.ticks import Mode

LTP = struct.Struct(">II")


def ltp(token: int, price: int) -> bytes:
    """A packet that carries neither time nor number: only its bytes tell it from others."""
    return LTP.pack(token, price)


@st.composite
def races(draw: st.DrawFn) -> tuple[list[bytes], int, int, list[bool]]:
    """One instrument's stream, where the new socket's snapshot stands in it, where the old one ends, and who is faster.

    Prices come from a handful, so that A, B, A happens all the time.
    """
    distinct = draw(st.booleans())
    prices = st.integers(1, 10**6) if distinct else st.integers(1, 3)
    stream = [ltp(1, price) for price in draw(st.lists(prices, min_size=3, max_size=30, unique=distinct))]
    if not distinct:
        # Kite sends a packet because something changed: no two neighbours are equal
        stream = [packet for packet, before in zip(stream, [b"", *stream], strict=False) if packet != before]
    joined = draw(st.integers(0, len(stream) - 1))
    left = draw(st.integers(joined + 1, len(stream)))
    turns = draw(st.lists(st.booleans(), min_size=2 * len(stream), max_size=2 * len(stream)))
    return stream, joined, left, turns


def run(stream: list[bytes], joined: int, left: int, turns: list[bool]) -> list[bytes]:
    """Race an old and a new socket; returns what is passed on.

    The old socket carries stream[:left]; the new one is subscribed when the old one has delivered up to `joined` and
    carries stream[joined:]: first the snapshot, which is what the old one delivered last or will deliver next.
    """
    passed: list[bytes] = []
    latest: dict[int, bytes] = {}

    def publish(packets: object) -> None:
        for token, packet in packets:  # type: ignore[attr-defined]
            passed.append(packet)
            latest[token] = packet

    lane = Confluence(latest, {1: Mode.LTP})
    lane.opened(1, 0.0)
    for packet in stream[: joined + 1]:
        publish(lane.merge(1, [(1, packet)]))
    lane.opened(2, 0.0)
    # Kite answers the subscription with a snapshot in quote mode, and the mode with another
    snapshot = stream[joined]
    old, new = stream[joined + 1 : left], [snapshot.ljust(44, b"\x07"), snapshot, *stream[joined + 1 :]]
    for turn in turns:
        if turn and old:
            publish(lane.merge(1, [(1, old.pop(0))]))
        elif new:
            publish(lane.merge(2, [(1, new.pop(0))]))
    for packet in old:
        publish(lane.merge(1, [(1, packet)]))
    lane.closed(1, 0.0)
    for packet in new:
        publish(lane.merge(2, [(1, packet)]))
    return passed


@pytest.mark.promise(10)
@settings(max_examples=400)
@given(races())
def test_two_sockets_with_one_stream_give_that_stream(race: tuple[list[bytes], int, int, list[bool]]) -> None:
    """All of it, once, in order: prices that come back (A, B, A) and sockets that overtake each other included."""
    assert run(*race) == race[0]


@settings(max_examples=200)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=20), st.data())
def test_after_a_gap_only_what_was_passed_on_already_is_held_back(prices: list[int], data: st.DataObject) -> None:
    """A new socket alone begins with Kite's snapshot; it is passed on unless it is what was passed on last."""
    last = data.draw(st.integers(1, 50))
    latest = {1: ltp(1, last)}
    lane = Confluence(latest, {1: Mode.LTP})
    lane.opened(1, 0.0)
    passed = [packet for price in prices for _, packet in lane.merge(1, [(1, ltp(1, price))])]
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
