"""Sockets to Kite whose other end is the test."""

from collections.abc import Callable, Sequence
from typing import Any

from kite_relay.domain.subscriptions import Ask
from kite_relay.domain.ticks import Mode, join
from worker.upstream import LineEvents


class FakeLine:
    """One socket; the test plays Kite through `events`."""

    def __init__(self, token: str, events: LineEvents, *, slow_close: bool) -> None:
        self.token = token
        self.events = events
        self.asked: list[Ask] = []
        self.modes: dict[int, Mode | None] = {}
        self.closed = False
        self._slow_close = slow_close

    def send(self, asks: Sequence[Ask]) -> None:
        """Do what Kite does with a message."""
        self.asked.extend(asks)
        for ask in asks:
            for token in ask.tokens:
                if ask.action == "unsubscribe":
                    self.modes.pop(token, None)
                else:
                    self.modes[token] = ask.mode or self.modes.get(token, Mode.QUOTE)

    def close(self, *, abort: bool) -> None:
        """Close; unless `slow_close`, the end comes at once."""
        if not self.closed:
            self.closed = True
            if not self._slow_close:
                self.events.closed("closed by us")

    def deliver(self, *packets: bytes) -> None:
        """Send one frame of packets."""
        self.events.frame(join(packets))


class FakeUpstream:
    """Dials the test; `answer` decides each dial at once, if set."""

    def __init__(self, answer: Callable[[FakeLine], None] | None = None) -> None:
        self.lines: list[FakeLine] = []
        self.slow_close = False
        self._answer = answer

    def dial(self, access_token: str, events: LineEvents) -> FakeLine:
        """Begin a socket."""
        line = FakeLine(access_token, events, slow_close=self.slow_close)
        self.lines.append(line)
        if self._answer is not None:
            self._answer(line)
        return line

    @property
    def standing(self) -> list[FakeLine]:
        """The sockets that were not closed."""
        return [line for line in self.lines if not line.closed]


class Recorder:
    """A watcher, a listener and a relay's ear: remembers everything."""

    def __init__(self) -> None:
        self.told: list[tuple[str, tuple[Any, ...]]] = []
        self.packets: list[bytes] = []
        self.texts: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args: self.told.append((name, args))

    def on_packets(self, packets: Sequence[tuple[int, bytes]]) -> None:
        """Take packets of the bus."""
        self.packets.extend(packet for _, packet in packets)

    def on_text(self, text: str) -> None:
        """Take a text of the bus."""
        self.texts.append(text)

    def named(self, name: str) -> list[tuple[Any, ...]]:
        """Give what was told under a name."""
        return [args for told, args in self.told if told == name]
