"""The watch asks before it decrypts, unless it was told that there is something new."""

import json

import pytest

from kite_relay.domain.events import DETAIL_TYPE, SOURCE
from kite_relay.domain.token import AccessToken
from kite_relay.ports import Message
from tests.fakes import FakeClock, FakeInbox, FakeTokenStore
from tests.fakes.canaries import access_token
from tests.fakes.virtual_time import VirtualClock, inline, run
from worker.circuit import Circuit
from worker.inbox import InboxReader
from worker.token_watch import TokenWatch


class Watched:
    """A store, and the watch over it."""

    def __init__(self, clock: VirtualClock) -> None:
        self.store = FakeTokenStore(FakeClock())
        self.seen: list[int] = []
        self.watch = TokenWatch(
            store=self.store,
            circuit=Circuit("ssm", clock, thread=inline),
            clock=clock,
            seen=self.note,
            roll=lambda: 0.5,
            interval=60.0,
        )

    async def note(self, token: AccessToken) -> None:
        """Note what was read."""
        self.seen.append(token.generation)

    def took(self) -> dict[str, int]:
        """Tell what was asked of the store since the last time."""
        calls = {name: self.store.calls.get(name, 0) for name in ("peek", "read")}
        self.store.calls.clear()
        return calls


def test_a_new_token_that_was_announced_takes_one_read() -> None:
    """One call to the store stands before the dial; what comes after it decrypts nothing."""

    async def story(clock: VirtualClock) -> None:
        it = Watched(clock)
        assert await it.watch.look() is None
        for generation in (1, 2):
            it.store.write(access_token())
            it.took()
            await it.watch.look(generation)
            assert it.took() == {"peek": 0, "read": 1}
            await it.watch.look(generation)
            await it.watch.look()
            assert it.took() == {"peek": 2, "read": 0}
        it.store.write(access_token())
        await it.watch.look()
        assert it.took() == {"peek": 1, "read": 1}, "one that nobody announced is found, too"
        assert it.seen == [1, 1, 1, 2, 2, 2, 3]

    run(story)


@pytest.mark.parametrize("announced", [2, 10**9])
def test_a_store_that_does_not_show_the_announced_token_is_decrypted_once(announced: int) -> None:
    """It may show it a moment later; or never, as the announcement was forged."""

    async def story(clock: VirtualClock) -> None:
        it = Watched(clock)
        it.store.write(access_token())
        await it.watch.look()
        it.took()
        reader = InboxReader(
            inbox=FakeInbox(),
            circuit=Circuit("sqs", clock, thread=inline),
            name=it.store.name,
            look=it.watch.look,
            mover=None,  # type: ignore[arg-type]  # must not be asked
            count=lambda _: None,
        )
        detail = {"generation": announced, "parameter_name": it.store.name, "user_id": "AB1234", "source": "login"}
        detail["minted_at"] = "9999-12-31T00:00:00+00:00"
        await reader.handle(
            Message(json.dumps({"source": SOURCE, "detail-type": DETAIL_TYPE, "detail": detail}), "receipt", 1)
        )
        took = it.took()
        assert took["read"] == 1
        assert took["peek"] > 10

    run(story)
