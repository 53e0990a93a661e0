"""The worker's inbox: announcements come at least once and in any order, and are confirmed only when done with.

Done means: the generation is live, or proven obsolete, or Kite has rejected it for good. What is left unconfirmed comes
again; what comes too often (poison) moves to the dead-letter queue by itself. Each message is handled in a task of its
own, so none waits behind another.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from kite_relay.domain.errors import KiteRelayError, MalformedError
from kite_relay.domain.events import StoreChanged, TokenRotated, parse_announcement
from kite_relay.domain.token import AccessToken
from kite_relay.ports import Inbox, Message
from worker.circuit import Circuit

WAIT_SECONDS = 20.0
"""The longest that SQS holds a receive open."""
PATIENCE_SECONDS = 25.0
"""How long a message may take before it is left for its next delivery; the queue hides it for longer."""
MOST_AT_ONCE = 100
"""So many announcements are handled at the same time: a flood of forged ones must not fill the memory."""
LOOK_AGAIN_SECONDS = 1.0
"""SSM may answer with the old version for a moment after a write."""

log = structlog.get_logger(__name__)


class Mover(Protocol):
    """The feed, as far as an announcement needs it."""

    async def until_settled(self, generation: int) -> None:
        """Wait until nothing more is to be done for this generation."""
        ...


class InboxReader:
    """Receives, handles and confirms.

    Args:
        inbox: the queue.
        circuit: guards it.
        name: the parameter whose announcements are ours.
        look: reads the store.
        mover: tells what became of a generation.
        count: counts outcomes.
    """

    def __init__(
        self,
        *,
        inbox: Inbox,
        circuit: Circuit,
        name: str,
        look: "Look",
        mover: Mover,
        count: Callable[[str], None],
    ) -> None:
        self._inbox = inbox
        self._circuit = circuit
        self._name = name
        self._look = look
        self._mover = mover
        self._count = count
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Receive for ever."""
        while True:
            while len(self._tasks) >= MOST_AT_ONCE:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            wait = 0.0 if self._circuit.down else WAIT_SECONDS  # a queue that is back says so at once, and not in 20 s
            try:
                messages = await self._circuit.call(self._inbox.receive, wait)
            except KiteRelayError as error:
                log.warning("the inbox was not read", error=str(error))
                await asyncio.sleep(self._circuit.rest or LOOK_AGAIN_SECONDS)
                continue
            for message in messages:
                task = asyncio.create_task(self.handle(message))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def handle(self, message: Message) -> None:
        """Handle one message to its end."""
        try:
            event = self._parse(message.body)
        except MalformedError as error:
            # not confirmed: after its last delivery it stands in the dead-letter queue, where someone can read it
            self._count("malformed")
            log.warning("poison in the inbox", error=str(error), receives=message.receives)
            return
        generation = event.generation if isinstance(event, TokenRotated) else None
        log.info("announcement received", step="received", generation=generation, receives=message.receives)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                outcome = await self._settle(event)
            await self._circuit.call(self._inbox.delete, message)
        except (KiteRelayError, TimeoutError) as error:
            self._count("left")
            log.warning("announcement left for its next delivery", generation=generation, error=str(error))
            return
        self._count(outcome)
        log.info("announcement confirmed", step="deleted", generation=generation, outcome=outcome)

    def _parse(self, body: str) -> TokenRotated | StoreChanged:
        event = parse_announcement(body)
        if event.parameter_name != self._name:
            raise MalformedError("it announces another parameter")
        return event

    async def _settle(self, event: TokenRotated | StoreChanged) -> str:
        """Bring about what is announced; returns what became of it."""
        announced = event.generation if isinstance(event, TokenRotated) else 0
        while True:
            token = await self._look(announced)
            if token is not None and (verdict := _obsolete(event, token)) is not None:
                break
            announced = 0  # what was announced falsely must not be worth more than one decryption
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        if verdict:
            return "obsolete"
        await self._mover.until_settled(token.generation)
        return "done"


class Look(Protocol):
    """Reads the store; returns the token that stands there."""

    async def __call__(self, announced: int = 0) -> AccessToken | None:
        """Read, knowing which generation was announced."""
        ...


def _obsolete(event: TokenRotated | StoreChanged, token: AccessToken) -> bool | None:
    """Tell whether the store proves an announcement obsolete; None when the store does not show it yet.

    A lower version written after the announced token was minted: the parameter was deleted and written anew.
    """
    if isinstance(event, StoreChanged) or token.generation == event.generation:
        return False
    if token.generation > event.generation or token.written_at > event.minted_at:
        return True
    return None
