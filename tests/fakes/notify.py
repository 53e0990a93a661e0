"""A fake of the notifier."""

from kite_relay.ports import Delivery


class FakeNotifier:
    """Keeps what was sent. Its channels are named; those in `broken` fail."""

    def __init__(self, *names: str) -> None:
        self.names = names or ("phone",)
        self.broken: set[str] = set()
        self.sent: list[tuple[str, str]] = []

    def notify(self, title: str, body: str) -> Delivery:
        """Keep the message, unless every channel is broken."""
        took = [name for name in self.names if name not in self.broken]
        if took:
            self.sent.append((title, body))
        return Delivery(took, [name for name in self.names if name in self.broken])
