"""Who wants what: the union, its spread over connections, and what Kite must be told."""

import pytest

from kite_relay.domain.errors import LimitExceededError
from kite_relay.domain.subscriptions import CHUNK, Ask, LaneChange, Subscriptions, asks, merge, restore
from kite_relay.domain.ticks import Mode

A, B, C, D = 1, 2, 3, 4


def change(modes: dict[int, Mode], new: set[int] | None = None, gone: set[int] | None = None) -> LaneChange:
    """Write a change; without a word all of its modes are new instruments."""
    return LaneChange(modes, set(modes) if new is None else new, gone or set())


@pytest.fixture
def book() -> Subscriptions:
    """Give a book of two connections of two instruments each."""
    return Subscriptions(per_lane=2, lanes=2)


def test_the_highest_mode_that_anyone_wants_is_asked_for(book: Subscriptions) -> None:
    """It rises with the first who wants more, and falls with the last."""
    assert book.want("dashboard", {A: Mode.QUOTE}) == {0: change({A: Mode.QUOTE})}
    assert book.want("bot", {A: Mode.LTP}) == {}
    assert book.want("news", {A: Mode.FULL}) == {0: change({A: Mode.FULL}, set())}
    assert book.want("news", {}) == {0: change({A: Mode.QUOTE}, set())}
    assert book.want("dashboard", {A: Mode.LTP}) == {0: change({A: Mode.LTP}, set())}
    assert book.want("dashboard", {}) == {}
    assert book.want("bot", {}) == {0: change({}, set(), {A})}
    assert (book.modes, book.lane_of) == ({}, {})


def test_a_repeated_want_is_no_change(book: Subscriptions) -> None:
    """Nor is the end of an owner that never was."""
    book.want("bot", {A: Mode.LTP})
    assert book.want("bot", {A: Mode.LTP}) == {}
    assert book.want("nobody", {}) == {}
    assert book.want("bot", {B: Mode.LTP}) == {0: LaneChange({B: Mode.LTP}, {B}, {A})}
    book.want("bot", {})
    assert book.want("bot", {B: Mode.LTP}) == {0: change({B: Mode.LTP})}, "an owner that went and came back"


def test_the_connections_fill_one_after_the_other(book: Subscriptions) -> None:
    """What goes makes room before what comes looks for it."""
    assert book.lanes == 1
    book.want("bot", dict.fromkeys((A, B, C), Mode.LTP))
    assert book.lanes == 2
    assert (book.on_lane(0), book.on_lane(1)) == (dict.fromkeys((A, B), Mode.LTP), {C: Mode.LTP})
    changes = book.want("bot", dict.fromkeys((B, C, D), Mode.LTP))
    assert changes == {0: LaneChange({D: Mode.LTP}, {D}, {A})}
    assert book.lane_of == {B: 0, C: 1, D: 0}
    book.want("bot", dict.fromkeys((B, D), Mode.LTP))
    assert book.lanes == 1


def test_a_full_book_takes_one_for_another(book: Subscriptions) -> None:
    """Whichever of the two has the smaller number."""
    book.want("bot", dict.fromkeys((B, C, D, 5), Mode.LTP))
    assert book.want("bot", dict.fromkeys((A, B, C, D), Mode.LTP)) == {1: LaneChange({A: Mode.LTP}, {A}, {5})}


def test_more_than_kite_carries_is_refused_and_changes_nothing(book: Subscriptions) -> None:
    """It says how many are too many; what another wants anyway, and what is given up at once, does not count."""
    book.want("bot", dict.fromkeys((A, B, C), Mode.LTP))
    before = dict(book.modes)
    with pytest.raises(LimitExceededError, match=r"at most 4 .* it would be 5\. Unsubscribe 1 first\."):
        book.want("news", dict.fromkeys((C, D, 5), Mode.LTP))
    assert book.modes == before
    book.want("news", dict.fromkeys((C, D), Mode.LTP))
    with pytest.raises(LimitExceededError, match="would be 5"):
        book.want("bot", dict.fromkeys((A, B, 5), Mode.LTP))
    assert book.want("bot", dict.fromkeys((A, 5, C), Mode.LTP)) == {0: LaneChange({5: Mode.LTP}, {5}, {B})}
    with pytest.raises(LimitExceededError, match="would be 5"):
        book.want("bot", dict.fromkeys((5, 6, 7), Mode.LTP))


def test_the_last_connection_is_freed_where_the_others_have_room(book: Subscriptions) -> None:
    """It is the spare one of a handover; the new lane is told of what moves, the old one is closed."""
    assert book.compact() == {}
    book.want("bot", dict.fromkeys((A, B, C, D), Mode.LTP))
    assert book.compact() == {}
    book.want("bot", dict.fromkeys((A, B, C), Mode.QUOTE))
    assert book.compact() == {}
    book.want("bot", dict.fromkeys((A, C), Mode.QUOTE))
    assert book.compact() == {C: 0}
    assert book.move({C: 0}) == {0: LaneChange({C: Mode.QUOTE}, {C})}
    assert (book.lanes, book.lane_of, book.compact()) == (1, {A: 0, C: 0}, {})
    assert book.want("news", {B: Mode.LTP}) == {1: LaneChange({B: Mode.LTP}, {B})}


def test_the_last_connection_is_not_freed_by_halves() -> None:
    """Either all of it finds room, spread over as many others as it takes, or nothing moves."""
    book = Subscriptions(per_lane=2, lanes=3)
    book.want("bot", dict.fromkeys(range(6), Mode.LTP))
    book.want("bot", dict.fromkeys((0, 2, 3, 4, 5), Mode.LTP))
    assert book.compact() == {}
    book.want("bot", dict.fromkeys((0, 2, 4, 5), Mode.LTP))
    assert book.compact() == {4: 0, 5: 1}
    book.want("bot", dict.fromkeys((0, 2, 4), Mode.LTP))
    assert book.compact() == {4: 0}


def test_a_change_takes_as_few_messages_as_kite_needs() -> None:
    """Subscriptions, then the modes from the lowest up, then what goes; a thousand instruments in each at most."""
    told = asks(LaneChange({B: Mode.FULL, A: Mode.LTP, C: Mode.FULL}, {C, B}, {D}))
    assert told == [
        Ask("subscribe", (B, C)), Ask("mode", (A,), Mode.LTP), Ask("mode", (B, C), Mode.FULL), Ask("unsubscribe", (D,)),
    ]  # fmt: skip
    many = restore(dict.fromkeys(range(2 * CHUNK + 1), Mode.QUOTE))
    assert [(ask.action, len(ask.tokens), ask.mode) for ask in many] == [
        ("subscribe", 1000, None), ("subscribe", 1000, None), ("subscribe", 1, None),
        ("mode", 1000, Mode.QUOTE), ("mode", 1000, Mode.QUOTE), ("mode", 1, Mode.QUOTE),
    ]  # fmt: skip
    assert many[2].tokens == (2 * CHUNK,)
    assert asks(LaneChange()) == []


def test_two_changes_that_kite_was_not_told_of_become_one() -> None:
    """The later one counts, for each instrument."""
    first = LaneChange({A: Mode.LTP, B: Mode.LTP, C: Mode.LTP}, {A, B, C}, {D})
    second = LaneChange({A: Mode.FULL, D: Mode.QUOTE}, {D}, {B})
    assert merge(first, second) == LaneChange({A: Mode.FULL, C: Mode.LTP, D: Mode.QUOTE}, {A, C, D}, {B})
