"""Answers what a few letters may mean: the dashboard's search box and `kite-relay watch` ask, nobody else needs to.

`{"a": "find", "v": "reli"}` is answered by `{"type": "instruments", "data": {"query": "reli", "instruments": [...]}}`;
nothing asked for is answered by the instruments that the worker always holds. No official client sends or minds it.
Kite's list is fetched when somebody first asks and once a day after that, so a worker whom nobody asks holds none.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

from kite_relay.domain.errors import KiteRelayError, WillPassError
from kite_relay.domain.instruments import Catalog, Instrument
from kite_relay.domain.token import IST
from kite_relay.ports import Clock
from worker.relay_client import Client
from worker.relay_fanout import text_frame

MAX_QUERY = 40
RETRY_SECONDS = 30.0
"""After a failure nobody asks Kite again for so long."""

log = logging.getLogger("kite_relay.relay")


class Directory:
    """Today's list of instruments, fetched when it is first needed.

    Args:
        fetch: gives Kite's CSV; called in a thread. May raise `KiteRelayError`.
        always: the names that the worker always holds, `NSE:NIFTY 50`.
        clock: the time.
    """

    def __init__(self, fetch: Callable[[], str], always: Sequence[str], clock: Clock) -> None:
        self._fetch = fetch
        self._always = always
        self._clock = clock
        self._catalog: Catalog | None = None
        self._day: object = None
        self._failed_at = float("-inf")
        self._lock = asyncio.Lock()

    async def look(self, text: str) -> list[Instrument]:
        """Find what the text may mean; nothing: the instruments that are always held.

        Raises:
            KiteRelayError: there is no list yet, and Kite does not give one.
        """
        catalog = await self._current()
        return await asyncio.to_thread(self._find, catalog, text)

    def _find(self, catalog: Catalog, text: str) -> list[Instrument]:
        if text.strip():
            return catalog.find(text)
        held = []
        for name in self._always:
            try:
                held.append(catalog.resolve(name))
            except KiteRelayError as error:
                log.warning("not held: %s", error)
        return held

    async def _current(self) -> Catalog:
        async with self._lock:
            today = self._clock.now().astimezone(IST).date()
            if self._catalog is None or self._day != today:
                await self._renew(today)
            if self._catalog is None:
                raise WillPassError("Kite has not given its list of instruments yet; try again in half a minute")
            return self._catalog

    async def _renew(self, today: object) -> None:
        """Fetch the list; when that fails, yesterday's is better than none."""
        if self._clock.monotonic() < self._failed_at + RETRY_SECONDS:
            return
        try:
            self._catalog = await asyncio.to_thread(lambda: Catalog.parse(self._fetch()))
            self._day = today
        except KiteRelayError as error:
            self._failed_at = self._clock.monotonic()
            log.warning("the list of instruments cannot be read: %s", error)


class Finder:
    """Takes the questions. A client's newer question replaces an older one that waits: nobody can pile work up."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._waiting: dict[Client, str] = {}
        self._tasks: dict[Client, asyncio.Task[None]] = {}

    def ask(self, client: Client, text: str) -> None:
        """Take a question."""
        self._waiting[client] = text[:MAX_QUERY]
        if client not in self._tasks:
            task = asyncio.get_running_loop().create_task(self._answer(client))
            self._tasks[client] = task
            task.add_done_callback(lambda _: self._tasks.pop(client, None))

    def forget(self, client: Client) -> None:
        """Answer a client no more."""
        self._waiting.pop(client, None)
        if task := self._tasks.get(client):
            task.cancel()

    async def _answer(self, client: Client) -> None:
        while (text := self._waiting.pop(client, None)) is not None:
            try:
                found = await self._directory.look(text)
            except KiteRelayError as error:
                client.error(f"find: {error}")
            else:
                client.send_text(text_frame(instruments_text(text, found)))


def instruments_text(query: str, found: Sequence[Instrument]) -> str:
    """Write the answer."""
    data: dict[str, Any] = {"query": query, "instruments": [one.to_body() for one in found]}
    return json.dumps({"type": "instruments", "data": data})
