"""Between the feed and everyone who listens."""

import pytest

from worker.bus import Bus, Packets


class Ears:
    """A listener that notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def on_packets(self, packets: Packets) -> None:
        """Note packets."""
        self.heard.append(packets)

    def on_text(self, text: str) -> None:
        """Note a text."""
        self.heard.append(text)


class Deaf:
    """A listener with a bug."""

    def on_packets(self, packets: Packets) -> None:
        """Fail."""
        raise RuntimeError(packets)

    def on_text(self, text: str) -> None:
        """Fail."""
        raise RuntimeError(text)


def test_a_listener_that_fails_costs_nobody_else_anything(caplog: pytest.LogCaptureFixture) -> None:
    """Not the other listeners, and not the feed: an exception there would end the socket to Kite."""
    bus, ears = Bus(lambda _owner, _wants: None), Ears()
    bus.attach(Deaf())
    bus.attach(ears)
    bus.publish([(1, b"packet")])
    bus.publish_text("text")
    assert ears.heard == [[(1, b"packet")], "text"]
    assert [record.exc_info is not None for record in caplog.records] == [True, True]
