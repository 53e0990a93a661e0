"""A text that each connection of the key brings is passed on once."""

from kite_relay.domain.overlap import TextOnce


def test_a_text_is_passed_on_as_often_as_one_socket_brings_it() -> None:
    """Each connection of the key brings its own copy."""
    once = TextOnce(10.0)
    assert [once.take(1, "order", 0.0), once.take(2, "order", 1.0)] == [True, False]
    assert [once.take(2, "order", 2.0), once.take(1, "order", 2.0)] == [True, False]


def test_a_socket_that_opens_later_brings_only_what_is_said_from_then_on() -> None:
    """Its first copy is not one of those that were passed on before."""
    once = TextOnce(10.0)
    assert once.take(1, "order", 0.0)
    once.opened(2)
    assert once.take(2, "order", 1.0)
    assert not once.take(1, "order", 1.0)


def test_a_text_that_is_forgotten_takes_no_other_with_it() -> None:
    """What one socket brings twice is two, even if something else was forgotten in between."""
    once = TextOnce(10.0)
    assert [once.take(1, "order", 0.0), once.take(1, "other", 5.0)] == [True, True]
    assert once.take(1, "other", 10.5)


def test_a_text_is_forgotten_after_its_seconds() -> None:
    """Counted from the last time it was passed on; then the next one is news again, on whichever socket."""
    once = TextOnce(10.0)
    assert once.take(1, "order", 0.0)
    assert once.take(1, "order", 6.0)
    assert not once.take(2, "order", 16.0), "the second one is remembered still"
    assert once.take(2, "other", 16.1)
    assert once.take(2, "order", 16.1), "both are forgotten"
    assert once.take(1, "order", 27.0)
    assert once._brought == {(1, "order"): 1}
