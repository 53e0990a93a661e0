"""The worker's inbox over a `.env` file: a change of the token is a message, as SSM's own change event is."""

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from kite_relay.domain.events import STORE_DETAIL_TYPE, STORE_SOURCE
from kite_relay.ports import Clock, Message, TokenStore

AGAIN_SECONDS = 30.0
"""When an unconfirmed message comes again, as the queue's visibility timeout does."""
LONGEST_SLEEP_SECONDS = 5.0
"""File systems over a network report no changes: look that often anyway."""


class FileInbox:
    """Watches the token in a file. For one reader.

    Args:
        store: the token's store over the file.
        path: the file to watch.
        clock: its monotonic side times the return of what was not confirmed.
    """

    def __init__(self, store: TokenStore, path: Path, clock: Clock) -> None:
        self._store = store
        self._path = path.resolve()
        self._clock = clock
        self._confirmed = 0
        self._handed_out: tuple[int, int, float] = (0, 0, 0.0)
        """(generation, how often, when)."""

    def receive(self, wait_seconds: float) -> Sequence[Message]:
        """Wait for a generation that is not confirmed yet."""
        deadline = time.monotonic() + wait_seconds
        while not (messages := self._look()):
            left = deadline - time.monotonic()
            if left <= 0:
                break
            self._sleep_until_a_change(min(left, LONGEST_SLEEP_SECONDS))
        return messages

    def delete(self, message: Message) -> None:
        """Confirm a generation."""
        self._confirmed = int(message.receipt)

    def _look(self) -> Sequence[Message]:
        stamp = self._store.peek()
        if stamp is None or stamp.generation == self._confirmed:  # a lower one: the file of versions was deleted
            return ()
        generation, receives, handed_out_at = self._handed_out
        now = self._clock.monotonic()
        if generation != stamp.generation:
            receives = 0
        elif now - handed_out_at < AGAIN_SECONDS:
            return ()
        self._handed_out = (stamp.generation, receives + 1, now)
        event = {
            "source": STORE_SOURCE,
            "detail-type": STORE_DETAIL_TYPE,
            "time": datetime.now(UTC).isoformat(),
            "detail": {"name": self._store.name, "operation": "Update"},
        }
        return [Message(json.dumps(event), str(stamp.generation), receives + 1)]

    def _sleep_until_a_change(self, seconds: float) -> None:
        from watchfiles import watch  # noqa: PLC0415 - the Lambdas, which never watch a file, do not carry it

        changes = watch(
            self._path.parent,
            watch_filter=lambda _, changed: changed == str(self._path),
            rust_timeout=max(1, int(seconds * 1000)),
            yield_on_timeout=True,
            debounce=50,
            step=10,
            recursive=False,
            raise_interrupt=False,
        )
        next(iter(changes), None)
