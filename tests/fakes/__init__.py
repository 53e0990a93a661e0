"""The ports' fakes: in memory, in step with a clock that a test moves, and in trouble when a test says so."""

from tests.fakes.kite import FakeKiteSession
from tests.fakes.messages import FakeEventBus, FakeInbox, FakeNotifier
from tests.fakes.stores import FakeParameters, FakeStatusBoard, FakeTokenStore
from tests.fakes.trouble import FakeClock

__all__ = [
    "FakeClock",
    "FakeEventBus",
    "FakeInbox",
    "FakeKiteSession",
    "FakeNotifier",
    "FakeParameters",
    "FakeStatusBoard",
    "FakeTokenStore",
]
