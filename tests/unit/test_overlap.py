"""Where two sockets deliver the same instruments: one packet at a time."""

import struct
from collections.abc import Sequence

import pytest

from kite_relay.domain.overlap import (
    HOLD_SECONDS,
    MOST_KEPT,
    RAISE_SECONDS,
    TAIL_SECONDS,
    Confluence,
    older,
)
from kite_relay.domain.ticks import FULL, INDEX_FULL, LTP, QUOTE, Mode

TOKEN = 408065


def packet(size: int, price: int, *, time: int = 0, volume: int = 0) -> bytes:
    """Make a packet of a length, with what it carries of time and volume."""
    data = bytearray(struct.pack(">II", TOKEN, price).ljust(size, b"\0"))
    if size in (QUOTE, FULL):
        struct.pack_into(">I", data, 16, volume)
    at = {FULL: 60, INDEX_FULL: 28}.get(size)
    if at is not None:
        struct.pack_into(">I", data, at, time)
    return bytes(data)


def ltp(price: int) -> bytes:
    """Make one that tells nothing but its price."""
    return packet(LTP, price)


@pytest.mark.parametrize(
    ("mine", "last", "same_day", "answer"),
    [
        (packet(FULL, 1, time=9), packet(FULL, 1, time=10), False, True),
        (packet(FULL, 1, time=10), packet(FULL, 1, time=9), False, False),
        (packet(INDEX_FULL, 1, time=9), packet(INDEX_FULL, 1, time=10), False, True),
        (packet(FULL, 1, time=10, volume=5), packet(FULL, 1, time=9, volume=6), True, False),
        (packet(FULL, 1, time=9, volume=5), packet(FULL, 1, time=9, volume=6), True, True),
        (packet(FULL, 1, time=9, volume=5), packet(FULL, 1, time=9, volume=6), False, False),
        (packet(FULL, 1, time=0, volume=6), packet(FULL, 1, time=9, volume=6), True, False),
        (packet(FULL, 1, time=9, volume=6), packet(FULL, 1, time=0, volume=6), True, False),
        (packet(QUOTE, 1, volume=5), packet(QUOTE, 1, volume=6), True, True),
        (packet(QUOTE, 1, volume=6), packet(QUOTE, 1, volume=6), True, False),
        (packet(QUOTE, 1, volume=5), packet(QUOTE, 1, volume=6), False, False),
        (packet(QUOTE, 1, volume=5), packet(FULL, 1, volume=6), True, False),
        (packet(INDEX_FULL, 1), packet(INDEX_FULL, 2), True, False),
        (ltp(1), ltp(2), True, False),
    ],
)
def test_only_what_is_certainly_older_is_called_so(mine: bytes, last: bytes, same_day: bool, answer: bool) -> None:
    """By the exchange's time where both tell it, else by the day's volume, within one day; never by a price."""
    assert older(mine, last, same_day=same_day) is answer


class Lane:
    """A lane that wants one instrument, and what it passed on."""

    def __init__(self, mode: Mode = Mode.LTP, last: bytes | None = None) -> None:
        self.latest = {} if last is None else {TOKEN: last}
        self.confluence = Confluence(self.latest, {TOKEN: mode})
        self.now = 100.0

    def open(self, *sockets: int) -> None:
        """Sockets are opened, and subscribed to the instrument."""
        for socket in sockets:
            self.confluence.opened(socket, [TOKEN], self.now)

    def bring(self, socket: int, *packets: bytes) -> list[bytes]:
        """Deliver on a socket; returns what is passed on."""
        return [each for one in packets for each in self.keep(self.confluence.merge(socket, [(TOKEN, one)], self.now))]

    def close(self, socket: int) -> list[bytes]:
        """End a socket; returns what is passed on."""
        return self.keep(self.confluence.closed(socket, self.now))

    def wait(self, seconds: float) -> list[bytes]:
        """Let time pass; returns what is passed on."""
        self.now += seconds
        return self.keep(self.confluence.expire(self.now))

    def keep(self, packets: Sequence[tuple[int, bytes]]) -> list[bytes]:
        """Keep the newest packet, as the bus does."""
        self.latest.update(packets)
        return [packet for _, packet in packets]


def test_a_first_socket_is_watched_for_ten_seconds() -> None:
    """What Kite kept of before is held back; then its packets need no look."""
    lane = Lane(last=ltp(5))
    assert lane.confluence.calm
    lane.open(1)
    assert not lane.confluence.calm
    assert lane.bring(1, ltp(5), ltp(6), ltp(6)) == [ltp(6)], "a snapshot comes twice"
    assert lane.bring(1, ltp(7), ltp(7)) == [ltp(7), ltp(7)]
    lane.wait(TAIL_SECONDS - 0.1)
    assert not lane.confluence.calm
    lane.wait(0.1)
    assert lane.confluence.calm


def test_while_the_old_socket_lives_it_is_followed() -> None:
    """What the new one brings is kept; its place is found by its content when the old one goes."""
    lane = Lane()
    lane.open(1)
    assert lane.bring(1, ltp(1), ltp(2), ltp(1)) == [ltp(1), ltp(2), ltp(1)]
    lane.open(2)
    assert lane.bring(2, ltp(1), ltp(2), ltp(1), ltp(3)) == [], "a price that comes back is told from a late one"
    assert lane.bring(1, ltp(2)) == [ltp(2)]
    assert lane.close(1) == [ltp(1), ltp(3)]
    assert lane.bring(2, ltp(1)) == [ltp(1)]


def test_what_the_old_socket_brings_is_passed_on_whatever_it_is() -> None:
    """A price that comes back has its place in the strand like any other; a smaller volume is Kite's own correction."""
    lane = Lane(last=ltp(1))
    lane.open(1, 2)
    lane.bring(2, *map(ltp, (1, 2, 1, 3)))
    assert lane.bring(1, ltp(2), ltp(1)) == [ltp(2), ltp(1)]
    assert lane.close(1) == [ltp(3)]
    lane = Lane(Mode.QUOTE, packet(QUOTE, 1, volume=10))
    lane.open(1, 2)
    assert lane.bring(1, packet(QUOTE, 1, volume=9)) == [packet(QUOTE, 1, volume=9)]


def test_an_old_socket_that_was_silent_catches_up_step_by_step() -> None:
    """Where it brings late what was passed on, its place moves on with it: what it brings beyond is news."""
    lane = Lane(last=ltp(0))
    lane.open(1, 2)
    lane.bring(2, *map(ltp, (0, 1, 2, 1)))
    assert lane.wait(HOLD_SECONDS) == [ltp(1), ltp(2), ltp(1)]
    assert lane.bring(1, ltp(1), ltp(2), ltp(1)) == []
    assert lane.bring(1, ltp(2)) == [ltp(2)]


def test_a_new_socket_that_is_behind_brings_nothing_twice() -> None:
    """The old one was further when it went."""
    lane = Lane()
    lane.open(1)
    lane.bring(1, ltp(1))
    lane.open(2)
    assert lane.bring(1, ltp(2), ltp(3)) == [ltp(2), ltp(3)]
    assert lane.bring(2, ltp(1)) == []
    assert lane.close(1) == []
    assert lane.bring(2, ltp(2), ltp(3), ltp(4)) == [ltp(4)]


def test_an_old_socket_that_is_silent_delays_a_packet_for_half_a_second() -> None:
    """Then the new one is followed; what the old one brings afterwards is passed on only if it is news."""
    lane = Lane(Mode.QUOTE)
    lane.open(1)
    lane.bring(1, packet(QUOTE, 1, volume=10))
    lane.open(2)
    assert lane.bring(2, packet(QUOTE, 1, volume=10), packet(QUOTE, 3, volume=30)) == []
    assert lane.wait(HOLD_SECONDS - 0.1) == []
    assert lane.wait(0.1) == [packet(QUOTE, 3, volume=30)]
    assert lane.bring(1, packet(QUOTE, 3, volume=30)) == [], "late"
    assert lane.bring(2, packet(QUOTE, 5, volume=50)) == [packet(QUOTE, 5, volume=50)]
    assert lane.bring(1, packet(QUOTE, 4, volume=40)) == [], "thinned out on the new socket, and late"
    assert lane.bring(1, packet(QUOTE, 6, volume=60)) == [packet(QUOTE, 6, volume=60)]
    assert lane.bring(1, packet(QUOTE, 6, volume=60)) == [packet(QUOTE, 6, volume=60)], "Kite's own repetition"
    assert lane.wait(HOLD_SECONDS) == [], "it is held up once"


def test_a_lane_of_one_instrument_is_covered_when_the_old_socket_has_come_to_where_the_new_one_began() -> None:
    """To end the old one then loses nothing."""
    lane = Lane()
    lane.open(1)
    assert lane.confluence.covers(1), "there is no predecessor"
    lane.bring(1, ltp(1))
    lane.open(2)
    assert not lane.confluence.covers(2)
    lane.bring(2, ltp(2))
    assert not lane.confluence.covers(2), "it began ahead of the old one"
    lane.bring(1, ltp(3))
    assert not lane.confluence.covers(2), "the old one is not there yet"
    lane.bring(1, ltp(2))
    assert lane.confluence.covers(2)


@pytest.mark.parametrize("first", [1, 2])
def test_a_new_socket_that_begins_with_what_was_passed_on_covers_at_once(first: int) -> None:
    """Now, or earlier in the overlap."""
    lane = Lane(last=ltp(1))
    lane.open(1, 2)
    lane.bring(1, ltp(2))
    lane.bring(2, ltp(first))
    assert lane.confluence.covers(2)


def test_a_silent_old_socket_is_covered_when_its_time_is_over() -> None:
    """Nobody waits for it longer."""
    lane = Lane(last=ltp(1))
    lane.open(1, 2)
    lane.bring(2, ltp(2))
    assert not lane.confluence.covers(2)
    lane.wait(HOLD_SECONDS)
    assert lane.confluence.covers(2)


def test_what_never_traded_need_not_be_delivered() -> None:
    """Nothing was passed on of it, so nothing is missed."""
    lane = Lane()
    lane.open(1, 2)
    assert lane.confluence.covers(2)


def test_a_new_socket_whose_stream_differs_begins_anew_with_what_is_news() -> None:
    """Not with an older packet, nor with a shorter form of the last one."""
    lane = Lane(last=packet(QUOTE, 5, volume=50), mode=Mode.QUOTE)
    lane.open(1, 2)
    lane.bring(2, packet(QUOTE, 4, volume=40))
    lane.now += RAISE_SECONDS
    lane.bring(2, packet(QUOTE, 5, volume=50)[:LTP], packet(QUOTE, 6, volume=60))
    assert lane.close(1) == [packet(QUOTE, 6, volume=60)]
    assert lane.bring(2, packet(QUOTE, 7, volume=70)) == [packet(QUOTE, 7, volume=70)]


def test_after_a_gap_a_smaller_volume_may_be_a_new_days() -> None:
    """Where no old socket lived, the last packet may be of any day."""
    lane = Lane(last=packet(QUOTE, 5, volume=50), mode=Mode.QUOTE)
    lane.open(1)
    assert lane.bring(1, packet(QUOTE, 1, volume=5)) == [packet(QUOTE, 1, volume=5)]


def test_an_earlier_place_that_proves_wrong_gives_way_to_a_later_one() -> None:
    """1 2 1 2 3: the new socket's 1 2 fits twice, its 3 decides."""
    lane = Lane()
    lane.open(1, 2)
    assert lane.bring(1, *map(ltp, (1, 2, 1, 2))) == [*map(ltp, (1, 2, 1, 2))]
    lane.bring(2, ltp(1), ltp(2))
    assert lane.close(1) == []
    assert lane.bring(2, ltp(3)) == [ltp(3)]


def test_a_new_socket_that_stays_mute_lets_nothing_grow() -> None:
    """The newest packets are enough to find its place, when it speaks at last."""
    lane = Lane()
    lane.open(1, 2)
    for price in range(10 * MOST_KEPT):
        assert lane.bring(1, ltp(price)) == [ltp(price)]
    strand = lane.confluence._stages[2]._strands[TOKEN]
    assert len(strand._log) <= MOST_KEPT
    assert lane.bring(2, ltp(10 * MOST_KEPT - 2), ltp(10 * MOST_KEPT - 1), ltp(1)) == []
    assert lane.close(1) == [ltp(1)]


def test_a_silent_old_socket_that_speaks_again_for_long_lets_nothing_grow() -> None:
    """The new one is followed, and both go on."""
    lane = Lane(last=ltp(0))
    lane.open(1, 2)
    lane.bring(2, ltp(0), ltp(1))
    assert lane.wait(HOLD_SECONDS) == [ltp(1)]
    lane.bring(1, ltp(1))
    for price in range(2, 3 * MOST_KEPT):
        assert lane.bring(1, ltp(price)) == [ltp(price)]
        assert lane.bring(2, ltp(price)) == []
    strand = lane.confluence._stages[2]._strands[TOKEN]
    assert len(strand._log) <= MOST_KEPT
    assert lane.bring(2, ltp(1)) == [ltp(1)]


def test_a_new_socket_that_lags_behind_for_long_brings_nothing_twice() -> None:
    """Its place is found again after what was remembered has been shortened."""
    lane = Lane(last=ltp(0))
    lane.open(1, 2)
    lane.bring(2, ltp(0), ltp(1))
    assert lane.wait(HOLD_SECONDS) == [ltp(1)]
    lane.bring(1, ltp(1), ltp(2), ltp(3))
    for price in range(4, 3 * MOST_KEPT):
        assert lane.bring(1, ltp(price)) == [ltp(price)]
        assert lane.bring(2, ltp(price - 2)) == []


def test_a_third_socket_overlaps_both_before_it() -> None:
    """Whoever goes, the eldest that is left is followed."""
    lane = Lane()
    lane.open(1)
    lane.wait(TAIL_SECONDS)
    lane.bring(1, ltp(1))
    lane.open(2)
    lane.bring(2, ltp(1), ltp(2))
    assert lane.bring(1, ltp(2)) == [ltp(2)]
    lane.open(3)
    assert lane.bring(3, ltp(2), ltp(3), ltp(4)) == []
    assert lane.close(1) == []
    assert lane.bring(2, ltp(3)) == [ltp(3)]
    assert lane.close(2) == [ltp(4)]
    assert lane.bring(3, ltp(5)) == [ltp(5)]
    lane.wait(TAIL_SECONDS)
    assert lane.confluence.calm


def test_an_old_socket_that_goes_before_the_new_one_began_leaves_it_to_begin() -> None:
    """Nothing was kept, so nothing is covered until it delivers; and it delivers first what was passed on already."""
    lane = Lane()
    lane.open(1)
    lane.bring(1, ltp(1))
    lane.open(2)
    assert lane.bring(1, ltp(2)) == [ltp(2)]
    assert lane.close(1) == []
    assert not lane.confluence.covers(2)
    assert lane.bring(2, ltp(2), ltp(3)) == [ltp(3)]
    assert lane.confluence.covers(2)
    assert lane.confluence.merge(2, [(1, ltp(5))], lane.now) == [(1, ltp(5))], "another instrument is held up by nobody"


def test_a_new_socket_that_goes_first_leaves_the_old_one_as_it_was() -> None:
    """And what an unknown socket does is nothing."""
    lane = Lane()
    lane.open(1)
    lane.wait(TAIL_SECONDS)
    lane.open(2)
    assert lane.close(9) == []
    assert lane.close(2) == []
    assert lane.confluence.calm
    assert lane.bring(1, ltp(1), ltp(1)) == [ltp(1), ltp(1)]
    assert lane.close(1) == []


def test_a_first_socket_that_goes_before_its_seconds_are_over_hands_on_what_the_next_kept() -> None:
    """The next one is watched for its own ten seconds."""
    lane = Lane()
    lane.open(1, 2)
    lane.bring(1, ltp(1))
    lane.bring(2, ltp(1), ltp(2))
    assert lane.close(1) == [ltp(2)]
    lane.wait(TAIL_SECONDS - 0.1)
    assert not lane.confluence.calm
    lane.wait(0.1)
    assert lane.confluence.calm


def test_a_packet_shorter_than_its_mode_waits_a_second_for_the_raised_mode() -> None:
    """A fresh subscription begins in quote mode, whatever is wanted; with nothing passed on yet, it is all there is."""
    lane = Lane(Mode.FULL)
    lane.open(1)
    assert lane.bring(1, packet(QUOTE, 1, volume=1)) == [packet(QUOTE, 1, volume=1)]
    lane = Lane(Mode.FULL, packet(FULL, 1, time=1, volume=1))
    lane.open(1)
    news = packet(FULL, 2, time=2, volume=2)
    assert lane.bring(1, news[:QUOTE], news) == [news]
    lane = Lane(Mode.FULL, packet(FULL, 1, time=1, volume=1))
    lane.open(1)
    assert lane.bring(1, news[:QUOTE]) == []
    lane.now += RAISE_SECONDS
    assert lane.bring(1, news[:QUOTE]) == [news[:QUOTE]], "the mode is not raised after all"


def test_a_new_socket_that_begins_late_has_its_second_for_the_raised_mode_then() -> None:
    """Kite took its time to answer: the quote that the answer begins with is no news, and nothing comes twice."""
    first = packet(FULL, 1, time=1, volume=1)
    lane = Lane(Mode.FULL, first)
    lane.open(1, 2)
    lane.now += 3 * RAISE_SECONDS
    assert lane.bring(2, first[:QUOTE], first) == []
    assert lane.confluence.covers(2)
    assert lane.close(1) == []


def test_a_packet_longer_than_its_mode_is_cut() -> None:
    """So that both sockets' packets can be compared; what nobody wants is passed on as it is."""
    lane = Lane(last=packet(QUOTE, 1))
    lane.open(1)
    assert lane.bring(1, packet(FULL, 1), packet(FULL, 2)) == [ltp(2)]
    unwanted = packet(QUOTE, 1)
    assert lane.confluence.merge(1, [(1, unwanted)], lane.now) == [(1, unwanted)]


def test_one_instrument_may_be_watched_beside_one_that_need_not_be() -> None:
    """In one frame: what Kite kept of the one is held back, what repeats of the other is passed on."""
    lane = Lane(last=ltp(1))
    other = struct.pack(">II", 1, 5)
    lane.latest[1] = other
    lane.open(1)
    assert lane.bring(1, ltp(2), ltp(3)) == [ltp(2), ltp(3)]
    assert lane.confluence.merge(1, [(TOKEN, ltp(3)), (1, other)], lane.now) == [(TOKEN, ltp(3))]
    news = [(TOKEN, ltp(3)), (1, struct.pack(">II", 1, 6))]
    assert lane.confluence.merge(1, news, lane.now) == news


def test_a_packet_that_is_held_back_holds_up_no_other_of_its_frame() -> None:
    """It waits for its mode; the next instrument's is passed on."""
    lane = Lane(Mode.FULL, packet(FULL, 1))
    lane.open(1)
    short, other = (TOKEN, packet(QUOTE, 2)), (1, struct.pack(">II", 1, 5))
    assert lane.confluence.merge(1, [short, other], lane.now) == [other]
