"""Follows a Redis Stream without a task, a timer or an await per entry: redis' client needs four times the CPU."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

import hiredis
from redis.asyncio.connection import SSLConnection

CONNECT_TIMEOUT = 2.0
SILENCE = 3.0
"""Redis answers every second; a connection that is silent for so long is dead."""
BLOCK_MS = 1000

Entry = tuple[bytes, Sequence[bytes]]
"""An entry's place, and its fields: name, value, name, value."""


class Tail(asyncio.Protocol):
    """One connection to Redis that reads a stream: an answer is passed on, and what comes after it is asked for.

    Args:
        greeting: the commands that come first.
        stream: what to read.
        place: the entry after which to begin.
        batch: entries of one answer at most.
        take: takes the entries of one answer; none when a second has passed without any.
    """

    def __init__(
        self,
        greeting: Sequence[tuple[str, ...]],
        stream: str,
        place: bytes,
        batch: int,
        take: Callable[[Sequence[Entry]], None],
    ) -> None:
        self.ended = asyncio.Event()
        """Set when the connection is gone."""
        self._greeting = greeting
        self._ungreeted = len(greeting)
        self._ask_from = ("XREAD", "COUNT", batch, "BLOCK", BLOCK_MS, "STREAMS", stream)
        self._place = place
        self._take = take
        self._answers = hiredis.Reader()
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        for command in self._greeting:
            self._transport.write(_pack(command))
        self._ask()
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        self._heard_at = self._loop.time()
        self._answers.feed(data)
        while (answer := self._answers.gets()) is not False:
            if isinstance(answer, Exception):  # refused: no password, a wrong one, still loading
                self.close()
            elif self._ungreeted:
                self._ungreeted -= 1
            else:
                self._pass_on(answer[0][1] if answer else ())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """End."""
        self._timer.cancel()
        self.ended.set()

    def close(self) -> None:
        """Read no more."""
        self._transport.abort()

    def _pass_on(self, entries: Sequence[Entry]) -> None:
        if entries:
            self._place = entries[-1][0]
        self._ask()  # Redis looks for more while these are passed on
        self._take(entries)

    def _ask(self) -> None:
        self._transport.write(_pack((*self._ask_from, self._place)))

    def _watch(self) -> None:
        if self._loop.time() >= self._heard_at + SILENCE:
            self.close()
        self._timer = self._loop.call_later(SILENCE / 3, self._watch)


def _pack(command: tuple[Any, ...]) -> bytes:
    return bytes(hiredis.pack_command(command))


async def follow(redis: Any, stream: str, place: bytes, batch: int, take: Callable[[Sequence[Entry]], None]) -> Tail:
    """Read a stream by a connection of its own, made as this client of redis' makes its own."""
    options: dict[str, Any] = redis.connection_pool.connection_kwargs
    greeting: list[tuple[str, ...]] = []
    if options.get("password"):
        greeting.append(("AUTH", *filter(None, (options.get("username"), options["password"]))))
    if options.get("db"):
        greeting.append(("SELECT", str(options["db"])))

    def make() -> Tail:
        return Tail(greeting, stream, place, batch, take)

    loop = asyncio.get_running_loop()
    async with asyncio.timeout(CONNECT_TIMEOUT):
        if "path" in options:
            return (await loop.create_unix_connection(make, options["path"]))[1]
        connection = redis.connection_pool.make_connection()
        tls = connection.ssl_context.get() if isinstance(connection, SSLConnection) else None
        return (await loop.create_connection(make, options["host"], options["port"], ssl=tls))[1]
