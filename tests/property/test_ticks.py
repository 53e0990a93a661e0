"""Whatever bytes arrive: ticks, or one named rejection."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kite_relay.domain.ticks import FrameError, Mode, cut, decode, dissect, index, join, mode_of, split

PACKETS = st.lists(st.sampled_from([8, 28, 32, 44, 184]).flatmap(lambda n: st.binary(min_size=n, max_size=n)))


@given(PACKETS)
def test_what_was_joined_is_split_again(packets: list[bytes]) -> None:
    """Join and split are each other's inverse, and decode reads every packet."""
    frame = join(packets)
    assert [packet for _, packet in split(frame)] == packets
    assert [token for token, _ in split(frame)] == [int.from_bytes(packet[:4], "big") for packet in packets]
    assert [frame[offset : offset + length] for _, offset, length in index(frame)] == packets
    assert [tick.mode for tick in decode(frame)] == [mode_of(packet) for packet in packets]


@given(PACKETS, st.sampled_from(Mode))
def test_cutting_is_a_prefix_and_done_once(packets: list[bytes], mode: Mode) -> None:
    """A cut packet is the beginning of the whole one, is of no higher mode, and is not cut further by the same mode."""
    for packet in packets:
        short = cut(packet, mode)
        shown = mode_of(short)
        assert packet.startswith(short)
        assert shown is not None
        assert shown.rank <= mode.rank
        assert cut(short, mode) == short


@pytest.mark.promise(15)
@settings(max_examples=500)
@given(st.binary(max_size=600) | st.builds(lambda n, rest: n.to_bytes(2, "big") + rest, st.integers(0, 4), st.binary()))
def test_any_bytes_are_read_or_rejected(frame: bytes) -> None:
    """No other exception ever leaves the decoder."""
    try:
        ticks = decode(frame)
    except FrameError:
        return
    assert len(ticks) == len(split(frame))


@st.composite
def damaged_frames(draw: st.DrawFn) -> bytes:
    """A frame mostly of packets of one length, as Kite's are, with other packets and damage here and there."""
    length = draw(st.sampled_from([8, 28, 32, 44, 184]))
    packets = [(number * 0x1000_00FB).to_bytes(length, "little") for number in range(draw(st.integers(0, 150)))]
    for _ in range(draw(st.integers(0, 3))):
        packets.insert(draw(st.integers(0, len(packets))), bytes(draw(st.sampled_from([8, 32, 44, 200]))))
    frame = bytearray(join(packets))
    for _ in range(draw(st.integers(0, 2))):
        frame[draw(st.integers(0, min(len(frame), 2000) - 1))] = draw(st.integers(0, 255))
    return bytes(frame[: len(frame) - draw(st.integers(0, 1))])


@settings(max_examples=300)
@given(damaged_frames())
def test_splitting_finds_what_the_index_finds(frame: bytes) -> None:
    """Packets that are split together are the same as packets that are looked at one by one, errors included."""

    def singly(whole: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
        found = index(whole)
        packets = [(token, whole[place : place + length]) for token, place, length in found]
        return packets, bytes(token & 0xFF for token, _, _ in found)

    assert outcome(dissect, frame) == outcome(singly, frame)


def outcome(read: Callable[[bytes], object], frame: bytes) -> object:
    """Give what is read, or why it is rejected."""
    try:
        return read(frame)
    except FrameError as error:
        return error.reason


@given(PACKETS, st.integers(min_value=1, max_value=200))
def test_a_frame_that_lost_its_end_is_rejected(packets: list[bytes], lost: int) -> None:
    """Half a frame is never taken for a whole one."""
    frame = join(packets)
    if len(frame) - lost >= 2:
        with pytest.raises(FrameError):
            index(frame[:-lost])
