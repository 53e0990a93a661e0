"""Writes to the status board, one thing after another, so that a slow or dead board costs nobody else anything.

Of what is replaced whole only the newest is kept; timeline entries wait their turn, the oldest go when too many do.
"""

import asyncio
from collections import Counter, deque
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog

from kite_relay.domain.errors import KiteRelayError
from kite_relay.domain.records import timeline_key
from kite_relay.domain.token import IST
from kite_relay.ports import Clock, Item, StatusBoard
from worker.circuit import Circuit

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_ENTRIES = 500
MOST_OF_A_KIND = 50
"""Entries of one kind in one day. A feed that comes and goes all day says nothing new, and whoever asks for the status
reads the whole day, of the table's 5 units (4 KB each) a second. The entries of a later login still find room."""
TIMELINE_DAYS = timedelta(days=8)
RETRY_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Desk:
    """The one writer.

    Args:
        board: the status board.
        circuit: guards it.
        clock: the two clocks.
    """

    def __init__(self, board: StatusBoard, circuit: Circuit, clock: Clock) -> None:
        self.leads: Callable[[], bool] = lambda: True
        """Tells whether this worker may write: two must not. Set by the composition root."""
        self._board = board
        self._circuit = circuit
        self._clock = clock
        self._items: dict[str, Item] = {}
        self._entries: deque[tuple[datetime, Item]] = deque(maxlen=MOST_ENTRIES)
        self._told: tuple[str, Counter[str]] = ("", Counter())
        """Of which day how many entries of each kind were told."""
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def put(self, key: str, item: Item) -> None:
        """Have an item written whole."""
        self._items[key] = item
        self._wake()

    def tell(self, what: str, **facts: Any) -> None:
        """Have an entry added to today's timeline."""
        now = self._clock.now()
        today = timeline_key(now.astimezone(IST).date())
        if self._told[0] != today:
            self._told = today, Counter()
        told = self._told[1]
        told[what] += 1
        if told[what] > MOST_OF_A_KIND:
            log.warning("today's timeline has enough of these", what=what)
            return
        self._entries.append((now, {"at": now.isoformat(), "what": what, **facts}))
        self._wake()

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await self._work.wait()
            if not self.leads():
                await asyncio.sleep(RETRY_SECONDS)
                continue
            try:
                await self._write_one()
            except KiteRelayError as error:
                log.warning("the status board was not written", error=str(error))
                await asyncio.sleep(max(self._circuit.rest, RETRY_SECONDS))
            if not self._items and not self._entries:
                self._work.clear()
                self._idle.set()

    async def drain(self) -> None:
        """Wait until all is written."""
        await self._idle.wait()

    def _wake(self) -> None:
        self._idle.clear()
        self._work.set()

    async def _write_one(self) -> None:
        """Write the oldest thing; it is forgotten only when it stands."""
        if self._items:
            key, item = next(iter(self._items.items()))
            await self._circuit.call(self._board.put, key, item)
            if self._items.get(key) is item:
                del self._items[key]
        elif self._entries:
            at, entry = first = self._entries[0]
            key = timeline_key(at.astimezone(IST).date())
            await self._circuit.call(self._board.append, key, entry, expires_at=at + TIMELINE_DAYS)
            if self._entries and self._entries[0] is first:
                self._entries.popleft()
