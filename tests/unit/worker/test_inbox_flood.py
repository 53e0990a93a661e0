"""Whoever could write to the queue would gain nothing: not a dial, not a token, and not the worker's memory."""

import asyncio
import json

from kite_relay.domain.events import DETAIL_TYPE, SOURCE
from kite_relay.domain.token import AccessToken
from kite_relay.ports import Message
from tests.fakes import FakeInbox
from tests.fakes.canaries import access_token
from tests.fakes.virtual_time import START, VirtualClock, inline, run
from worker.circuit import Circuit
from worker.inbox import MOST_AT_ONCE, InboxReader

NAME = "/kite-relay/access_token"
BATCH = 10


class Queue(FakeInbox):
    """Has no end of announcements of a token that does not exist."""

    def receive(self, wait_seconds: float) -> list[Message]:
        """Hand out ten more."""
        self._called("receive")
        detail = {"generation": 10**9, "parameter_name": NAME, "user_id": "AB1234", "source": "login"}
        detail["minted_at"] = "9999-12-31T00:00:00+00:00"
        body = json.dumps({"source": SOURCE, "detail-type": DETAIL_TYPE, "detail": detail})
        return [Message(body, str(number), 1) for number in range(BATCH)]


class Mover:
    """Must not be asked."""

    async def until_settled(self, generation: int) -> None:
        """Fail."""
        raise AssertionError("a forged announcement moved the feed")


def test_a_flood_of_forged_announcements_is_bounded() -> None:
    """Each looks at the store, which knows no such token, and is left; no more than a few are looked at together."""

    async def story(clock: VirtualClock) -> tuple[int, int]:
        queue, most = Queue(), 0

        async def look(announced: int = 0) -> AccessToken:
            del announced
            return AccessToken(access_token(), 7, START)

        reader = InboxReader(
            inbox=queue,
            circuit=Circuit("sqs", clock, thread=inline),
            name=NAME,
            look=look,
            mover=Mover(),
            count=lambda _: None,
        )
        reading = asyncio.ensure_future(reader.run())
        for _ in range(600):
            await asyncio.sleep(0.1)
            most = max(most, len(reader._tasks))
        reading.cancel()
        return most, queue.calls["receive"]

    most, received = run(story)
    assert MOST_AT_ONCE <= most < MOST_AT_ONCE + BATCH
    assert received * BATCH < 5 * MOST_AT_ONCE, "a message keeps its place for 25 seconds"
