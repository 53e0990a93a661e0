"""Looks at the store for a newer token: on boot, when an announcement hints at one, and every minute with jitter.

A read of the store is the truth; an announcement is only a reason to look at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from kite_relay.domain.errors import KiteRelayError
from kite_relay.domain.token import AccessToken, TokenStamp
from kite_relay.logging import scrubber
from kite_relay.ports import Clock, TokenStore
from worker.circuit import Circuit

SOONEST, LATEST = 0.55, 0.75
"""The jitter of the timer, as shares of the longest interval: with two time-outs a dead store is found within it."""

log = structlog.get_logger(__name__)


class TokenWatch:
    """Reads the token when it changed.

    Args:
        store: where the token stands.
        circuit: guards the store.
        clock: the two clocks.
        seen: takes every token read.
        roll: gives random numbers in [0, 1).
        interval: the longest time between two looks, in seconds.
    """

    def __init__(
        self,
        *,
        store: TokenStore,
        circuit: Circuit,
        clock: Clock,
        seen: Callable[[AccessToken], Awaitable[None]],
        roll: Callable[[], float],
        interval: float,
    ) -> None:
        self.name = store.name
        self.last_success: float | None = None
        self._absent_since = ""
        """Since when the store answers that no token was ever written."""
        self._store = store
        self._circuit = circuit
        self._clock = clock
        self._seen = seen
        self._roll = roll
        self._interval = interval
        self._token: AccessToken | None = None
        self._lock = asyncio.Lock()

    async def look(self, announced: int = 0) -> AccessToken | None:
        """Read the store; returns the token that stands there.

        Args:
            announced: the generation that is said to stand there. One newer than we know is read at once; else the
                store is only asked whether anything is new, for which it need not decrypt.

        Raises:
            WillPassError: the store does not answer.
            ConfigurationError: the store refuses us.
        """
        async with self._lock:
            known = self._token
            if known is None or announced > known.generation:
                found = await self._circuit.call(self._store.read)
            else:
                stamp = await self._circuit.call(self._store.peek)
                same = stamp == TokenStamp(known.generation, known.written_at)
                found = known if same else await self._circuit.call(self._store.read)
            now = self._clock.now()
            self.last_success = now.timestamp()
            self._absent_since = "" if found else self._absent_since or now.isoformat()
            if found is None:
                return None
            if found != known:
                scrubber.learn(found.value)
                self._token = found
                log.info("token read", step="read", generation=found.generation)
            await self._seen(found)
            return found

    def findings(self) -> list[dict[str, Any]]:
        """Tell that there is no token where we look: nobody has logged in yet, or it is the wrong place."""
        since = self._absent_since
        return [{"code": "token_absent", "since": since, "detail": self.name}] if since else []

    async def run(self) -> None:
        """Look for ever."""
        while True:
            share = SOONEST + (LATEST - SOONEST) * self._roll()
            pause = self._interval * share
            try:
                await self.look()
            except KiteRelayError as error:
                log.warning("the store was not read", error=str(error))
                pause = self._circuit.rest or pause
            await asyncio.sleep(pause)
