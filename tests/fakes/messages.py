"""Fakes of the bus, the inbox and the notifier."""

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kite_relay.domain.events import DETAIL_TYPE, SOURCE, TokenRotated
from kite_relay.ports import Message
from tests.fakes.canaries import watch
from tests.fakes.trouble import FakeClock, Fallible


class FakeEventBus(Fallible):
    """Remembers what was announced; with an inbox, delivers to it as EventBridge does to the queue."""

    def __init__(self, inbox: "FakeInbox | None" = None) -> None:
        super().__init__()
        self.events: list[TokenRotated] = []
        self._inbox = inbox

    def announce(self, event: TokenRotated) -> None:
        """Publish."""
        self._called("announce")
        watch.look("an event", json.dumps(event.to_detail()))
        self.events.append(event)
        if self._inbox:
            envelope = {"source": SOURCE, "detail-type": DETAIL_TYPE, "detail": event.to_detail()}
            self._inbox.send(json.dumps(envelope))


@dataclass
class _Standing:
    body: str
    visible_at: float
    receives: int = 0


class FakeInbox(Fallible):
    """A queue with a visibility timeout, receive counts and a dead-letter list. `receive` never blocks.

    Args:
        clock: its monotonic side is the queue's.
        visibility_seconds: how long a received message stays hidden.
        max_receives: the next receive after so many moves a message to `dead_letters`.
        on_wait: called with the seconds that a receive would have waited, so that a test may let them pass.
    """

    def __init__(
        self,
        clock: FakeClock | None = None,
        visibility_seconds: float = 30,
        max_receives: int = 3,
        on_wait: Callable[[float], None] | None = None,
    ) -> None:
        super().__init__()
        self._clock = clock or FakeClock()
        self._visibility = visibility_seconds
        self._max_receives = max_receives
        self._on_wait = on_wait
        self._numbers = itertools.count(1)
        self.standing: dict[str, _Standing] = {}
        self.dead_letters: list[str] = []

    def send(self, body: str) -> None:
        """Put a message into the queue."""
        watch.look("a queue's message", body)
        self.standing[str(next(self._numbers))] = _Standing(body, self._clock.monotonic())

    def receive(self, wait_seconds: float) -> Sequence[Message]:
        """Hand out what is visible."""
        self._called("receive")
        found = self._visible()
        if not found and self._on_wait:
            self._on_wait(wait_seconds)
            found = self._visible()
        return found

    def _visible(self) -> list[Message]:
        messages, now = [], self._clock.monotonic()
        for number, standing in list(self.standing.items()):
            if standing.visible_at > now:
                continue
            if standing.receives >= self._max_receives:
                self.dead_letters.append(self.standing.pop(number).body)
                continue
            standing.receives += 1
            standing.visible_at = now + self._visibility
            messages.append(Message(standing.body, number, standing.receives))
        return messages[:10]

    def delete(self, message: Message) -> None:
        """Confirm."""
        self._called("delete")
        self.standing.pop(message.receipt, None)


class FakeNotifier(Fallible):
    """Remembers what was sent; `failing` names the channels that fail."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, str]] = []
        self.failing: list[str] = []

    def notify(self, title: str, body: str) -> Sequence[str]:
        """Send."""
        self._called("notify")
        watch.look("a notification", f"{title}\n{body}")
        self.sent.append((title, body))
        return list(self.failing)
