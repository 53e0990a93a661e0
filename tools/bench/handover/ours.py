"""The worker's own feed and relay, as its main program puts them together, without AWS around them."""

import asyncio
import gc
import os
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kite_relay.adapters.clock import SystemClock
from kite_relay.domain.handover_types import Report
from kite_relay.domain.relay_keys import KeyRing, RelayKey, Scope, hash_key
from kite_relay.domain.ticks import Mode
from kite_relay.domain.token import LOGGED_OUT, AccessToken
from kite_relay.ports import Parameter
from tools.bench.handover.ticker import LISTENER, RELAY_KEY, Task
from worker.feed import Feed
from worker.relay import Relay
from worker.relay_settings import RelaySettings
from worker.upstream import KiteUpstream


class OneKey:
    """Parameters that hold the listener's relay key and nothing else."""

    def read(self, name: str) -> Parameter | None:
        """Read the key ring."""
        key = RelayKey(LISTENER, hash_key(RELAY_KEY), frozenset(Scope), datetime.now(UTC))
        return Parameter(KeyRing([key]).to_json(), 1) if name == "relay_keys" else None

    def exists(self, name: str) -> bool:
        """Tell whether it stands there."""
        return name == "relay_keys"

    def write(self, name: str, value: str, *, secret: bool) -> int:
        """Refuse: nothing is written here."""
        raise NotImplementedError(name, value, secret)


class FirstTick:
    """Watches the feed for the first tick of each generation; the rest is not of interest here."""

    def __init__(self) -> None:
        self.feed: Feed | None = None
        self.first: dict[int, asyncio.Future[float]] = {}

    def on_first_tick(self, generation: int, seconds: float) -> None:
        """Keep how long it took since the token was known."""
        if generation in self.first:
            self.first.pop(generation).set_result(seconds)

    def on_probe(self, token: AccessToken) -> None:
        """Answer as Kite would: these tokens are good."""
        if self.feed:
            asyncio.get_running_loop().call_soon(self.feed.probed, token, True)  # noqa: FBT003 - the answer is yes

    def on_report(self, report: Report) -> None:
        """Let it pass."""

    def on_dial(self, generation: int) -> None:
        """Let it pass."""

    def on_promote(self, generation: int) -> None:
        """Let it pass."""

    def on_gap(self, generation: int, seconds: float) -> None:
        """Let it pass."""

    def on_rejected_frame(self, reason: str) -> None:
        """A frame of the simulator's that we reject would falsify the run."""
        raise RuntimeError(reason)


class Ours:
    """Feed, bus and relay in this process.

    Args:
        task: api_key, ticker_root, instruments.
    """

    def __init__(self, task: Task) -> None:
        self._watcher = FirstTick()
        self._clock = SystemClock()
        self.feed = self._watcher.feed = Feed(
            upstream=KiteUpstream(task["api_key"], task["ticker_root"]),
            clock=self._clock,
            roll=random.random,
            watcher=self._watcher,
            later=asyncio.get_running_loop().call_later,
        )
        self._wants = dict.fromkeys(task["instruments"], Mode.FULL)
        self.relay: Relay | None = None
        self._generation = 0
        self._ticks: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Begin to serve through the relay, with no token yet; gives the relay's port."""
        self.relay = Relay(self.feed.bus, OneKey(), RelaySettings(port=0), self._clock)
        await self.relay.start()
        self.begin()
        return self.relay.port

    def begin(self) -> None:
        """Let the feed want its instruments, and time pass."""
        self.feed.bus.want("always", self._wants)
        self._ticks = asyncio.create_task(self._tick())

    async def swap(self, token: str) -> float:
        """Learn of a new token; gives the seconds until its first tick, once its handover is complete."""
        self._generation += 1
        first: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._watcher.first[self._generation] = first
        self.feed.token_seen(AccessToken(token, self._generation, datetime.now(UTC)))
        seconds = await asyncio.wait_for(first, 30)
        await asyncio.wait_for(self.feed.until_settled(self._generation), 30)
        await self._until(lambda: len(self.feed.links) == 1)
        return seconds

    async def rest(self) -> None:
        """Leave Kite, as after a logout."""
        self._generation += 1
        self.feed.token_seen(AccessToken(LOGGED_OUT, self._generation, datetime.now(UTC)))
        await self._until(lambda: not self.feed.links)

    def footprint(self) -> dict[str, float]:
        """Tell what this process holds; what waits for the garbage collector is not held."""
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return {
            "rss_mb": pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
            "fds": len(list(Path("/proc/self/fd").iterdir())),
            "tasks": len(asyncio.all_tasks()),
        }

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(0.25)
            self.feed.tick()

    @staticmethod
    async def _until(done: Callable[[], Any]) -> None:
        async with asyncio.timeout(30):
            while not done():  # noqa: ASYNC110 - the feed tells nobody that its last socket is gone
                await asyncio.sleep(0.005)
