"""A new socket takes over when it delivers as much as the old one did, not when it delivers at all."""

import asyncio
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from kite_relay.domain.subscriptions import Ask
from kite_relay.domain.ticks import Mode, join
from kite_relay.domain.token import AccessToken
from worker.feed import Feed
from worker.upstream import LineEvents

RELIANCE, INFY = 738561, 408065
START = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


class Line:
    """A socket whose other end is the test."""

    def __init__(self, events: LineEvents) -> None:
        self.events = events
        self.closed = False

    def send(self, asks: Sequence[Ask]) -> None:
        """Hear what the feed wants."""

    def close(self, *, abort: bool) -> None:
        """Note it."""
        self.closed = True


class Upstream:
    """Dials the test."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def dial(self, access_token: str, events: LineEvents) -> Line:
        """Begin a socket."""
        self.lines.append(Line(events))
        return self.lines[-1]


class Deaf:
    """A watcher who does not care."""

    def __getattr__(self, _: str) -> Any:
        return lambda *_: None


def packet(token: int, size: int) -> bytes:
    """Make a packet of a length."""
    return struct.pack(">I", token).ljust(size, b"\x01")


async def test_short_packets_do_not_cover() -> None:
    """While Kite has not raised the mode of every instrument, the old socket stays."""
    clock = SimpleNamespace(now=lambda: START, monotonic=lambda: 0.0)
    upstream = Upstream()
    loop = asyncio.get_running_loop()
    feed = Feed(upstream=upstream, clock=clock, roll=lambda: 0.0, watcher=Deaf(), later=loop.call_later)
    feed.bus.want("always", {RELIANCE: Mode.FULL, INFY: Mode.LTP})
    for generation in (1, 2):
        feed.token_seen(AccessToken(f"token {generation}", generation, START + timedelta(days=generation)))
        upstream.lines[-1].events.opened()
        if generation == 1:
            upstream.lines[0].events.frame(join([packet(RELIANCE, 184), packet(INFY, 44)]))
    old, new = upstream.lines
    new.events.frame(join([packet(RELIANCE, 44), packet(INFY, 8)]))
    assert not old.closed
    new.events.frame(join([packet(RELIANCE, 184)]))
    assert old.closed


async def test_a_tick_comes_once_though_kite_sends_it_short_and_whole() -> None:
    """Where the old socket died, the default mode's packet that precedes the raised mode is not passed on."""
    clock = SimpleNamespace(now=lambda: START, monotonic=lambda: 0.0)
    upstream = Upstream()
    loop = asyncio.get_running_loop()
    feed = Feed(upstream=upstream, clock=clock, roll=lambda: 0.0, watcher=Deaf(), later=loop.call_later)
    passed: list[int] = []
    feed.bus.attach(SimpleNamespace(on_packets=lambda packets: passed.extend(len(p) for _, p in packets)))
    feed.bus.want("always", {RELIANCE: Mode.FULL})
    feed.token_seen(AccessToken("token 1", 1, START))
    upstream.lines[0].events.opened()
    upstream.lines[0].events.frame(join([packet(RELIANCE, 184)]))
    upstream.lines[0].events.closed("killed")
    feed.token_seen(AccessToken("token 2", 2, START + timedelta(days=1)))
    upstream.lines[-1].events.opened()
    upstream.lines[-1].events.frame(join([struct.pack(">I", RELIANCE).ljust(44, b"\x02")]))
    upstream.lines[-1].events.frame(join([struct.pack(">I", RELIANCE).ljust(184, b"\x02")]))
    assert passed == [184, 184]
