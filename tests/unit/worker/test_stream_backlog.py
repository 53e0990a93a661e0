"""What a writer keeps for a Redis that is away: bounded by number and by bytes."""

from worker.stream_backlog import Backlog, Fields


def frame(number: int, size: int = 10) -> Fields:
    """Make a frame."""
    return {"n": number, "d": bytes(size)}


def numbers(backlog: Backlog) -> list[int]:
    """Read what is kept."""
    return [kept["n"] for kept in backlog.first(1000)]


def test_the_oldest_go_when_there_are_too_many() -> None:
    """By number."""
    backlog = Backlog(3, 1000)
    for number in range(5):
        backlog.append(frame(number))
    assert numbers(backlog) == [2, 3, 4]
    assert len(backlog) == 3


def test_the_oldest_go_when_they_are_too_large() -> None:
    """By bytes, and only as many as must; one that is larger than all is kept by itself."""
    backlog = Backlog(100, 100)
    for number in range(20):
        backlog.append(frame(number))
    assert numbers(backlog) == list(range(10, 20))
    backlog.append(frame(20, 95))
    assert numbers(backlog) == [20]
    backlog.append(frame(21, 500))
    assert numbers(backlog) == [21]


def test_what_was_sent_comes_before_what_was_not() -> None:
    """In order; and what was taken is counted no more."""
    sent, unsent = Backlog(10, 100), Backlog(10, 100)
    for number in range(4):
        (sent if number < 2 else unsent).append(frame(number))
    unsent.put_before(sent.take())
    assert numbers(unsent) == [0, 1, 2, 3]
    assert (len(sent), numbers(sent)) == (0, [])
    for number in range(10):
        sent.append(frame(number))
    assert len(sent) == 10


def test_only_the_oldest_can_be_done() -> None:
    """One that has gone meanwhile takes no other with it."""
    backlog = Backlog(2, 100)
    first, second, third = frame(1), frame(2), frame(3)
    for each in (first, second, third):
        backlog.append(each)
    backlog.done(first)
    assert numbers(backlog) == [2, 3]
    backlog.done(second)
    backlog.done(third)
    backlog.done(third)
    assert numbers(backlog) == []
    backlog.append(frame(4, 100))
    assert numbers(backlog) == [4]
