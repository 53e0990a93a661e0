"""AWS gone for an hour, each service alone and all together, on a loop whose time is a number."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from kite_relay.adapters.skew import Skew
from kite_relay.domain.errors import AccessRefusedError, ConfigurationError, KiteRelayError, StoreUnavailableError
from kite_relay.domain.events import TokenRotated
from kite_relay.domain.records import Heartbeat
from kite_relay.domain.ticks import Mode
from kite_relay.domain.token import AccessToken
from tests.fakes.canaries import access_token
from tests.fakes.kite import FakeKiteSession
from tests.fakes.kite_lines import FakeLine, FakeUpstream, Recorder
from tests.fakes.messages import FakeEventBus, FakeInbox
from tests.fakes.stores import FakeStatusBoard, FakeTokenStore
from tests.fakes.virtual_time import VirtualClock, inline, run
from tests.unit.feed.test_feed import packet
from worker.circuit import Circuit
from worker.desk import Desk
from worker.feed import Feed
from worker.heartbeat import Heart
from worker.inbox import InboxReader
from worker.metrics import Metrics
from worker.reporter import Reporter
from worker.token_watch import TokenWatch
from worker.worker import SERVICES

HOUR = 3600.0
ALL = tuple(SERVICES)
GIVEN_UP = {"ssm": 4.0, "sqs": 24.0, "dynamodb": 4.0}
"""After how many seconds of silence each client raises."""
CALLERS = {"ssm": 2, "sqs": 1, "dynamodb": 1}
"""Who asks each: the token's watch and the relay's keys, the inbox, the desk; each waits for its own answer."""


class World:
    """A worker's inside, with every service played.

    Args:
        clock: the time.
        before: a worker that died; its services live on.
    """

    def __init__(self, clock: VirtualClock, before: "World | None" = None) -> None:
        self.clock = clock
        self.store: FakeTokenStore = before.store if before else FakeTokenStore(clock)  # type: ignore[arg-type]  # a clock is a clock
        self.inbox: FakeInbox = before.inbox if before else FakeInbox(clock)  # type: ignore[arg-type]
        self.board: FakeStatusBoard = before.board if before else FakeStatusBoard(clock)  # type: ignore[arg-type]
        self.calls: dict[str, list[float]] = {name: [] for name in ALL}
        self.slow = dict.fromkeys(ALL, 0.0)
        """How many seconds each service hangs before it answers, or does not."""
        self.under_way, self.most_under_way = Counter[str](), Counter[str]()
        self.circuits = {
            name: Circuit(name, clock, thread=self.counting(name), patience=SERVICES[name]) for name in ALL
        }
        self.mute = False
        """Whether Kite accepts subscriptions and sends nothing but heartbeats."""
        self.upstream = FakeUpstream(answer=self.accept_soon)
        self.ear = Recorder()
        desk = Desk(self.board, self.circuits["dynamodb"], clock)
        metrics = Metrics()
        reporter = Reporter(desk, metrics, clock, FakeKiteSession(), lambda: None)
        reporter.on_probe = lambda token: self.feed.probed(token, answer=True)  # type: ignore[method-assign]
        self.feed = Feed(
            upstream=self.upstream,
            clock=clock,
            roll=lambda: 0.5,
            watcher=reporter,
            later=lambda seconds, call: asyncio.get_running_loop().call_later(seconds, call),
        )
        self.feed.bus.attach(self.ear)
        self.heart = Heart(
            feed=self.feed,
            desk=desk,
            clock=clock,
            metrics=metrics,
            circuits=tuple(self.circuits.values()),
            reporter=reporter,
            seconds=10.0,
        )
        works = (desk.run(), self.heart.run(), self.tick(), self.kite(), self.keys(), *self.watching())
        self.tasks = [asyncio.ensure_future(work) for work in works]

    def watching(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """Put together what brings tokens in."""
        watch = TokenWatch(
            store=self.store,
            circuit=self.circuits["ssm"],
            clock=self.clock,
            seen=self.seen,
            roll=lambda: 1.0,
            interval=60.0,
        )
        reader = InboxReader(
            inbox=self.inbox,
            circuit=self.circuits["sqs"],
            name=self.store.name,
            look=watch.look,
            mover=self.feed,
            count=lambda _: None,
        )
        return watch.run(), reader.run()

    def counting(self, service: str) -> Callable[[Callable[[], Any]], Any]:
        """Run a call inline, note when it was made, and let a receive take its long poll."""

        async def thread(call: Callable[[], Any]) -> Any:
            self.calls[service].append(self.clock.monotonic())
            self.under_way[service] += 1
            self.most_under_way[service] = max(self.most_under_way[service], self.under_way[service])
            try:
                await asyncio.sleep(self.slow[service])
                answer = await inline(call)
                if answer == []:
                    await asyncio.sleep(20.0)
                return answer
            finally:
                self.under_way[service] -= 1

        return thread

    async def seen(self, token: AccessToken) -> None:
        """Give the feed what was read."""
        self.feed.token_seen(token)

    def accept_soon(self, line: FakeLine) -> None:
        """Answer a dial, as Kite would, a moment later."""
        asyncio.get_running_loop().call_later(0.2, self.accept, line)

    def accept(self, line: FakeLine) -> None:
        """Open a socket, as Kite would."""
        if not line.closed:
            line.events.opened()

    async def tick(self) -> None:
        """Drive the feed."""
        while True:
            await asyncio.sleep(0.5)
            self.feed.tick()

    async def keys(self) -> None:
        """Ask the store for something else now and then, as the relay does for its keys."""
        while True:
            await asyncio.sleep(30.0)
            with contextlib.suppress(KiteRelayError):
                await self.circuits["ssm"].call(self.store.peek)

    async def kite(self) -> None:
        """Send a new price each second on every socket."""
        price = 0
        while True:
            await asyncio.sleep(1.0)
            price += 1
            for line in self.upstream.standing:
                if self.mute:
                    line.events.frame(b"\x00")
                elif line.modes:
                    line.deliver(packet(1, price))

    def fakes(self, service: str) -> FakeTokenStore | FakeInbox | FakeStatusBoard:
        """Give what stands behind a service."""
        return {"ssm": self.store, "sqs": self.inbox, "dynamodb": self.board}[service]  # type: ignore[return-value]


def most_in_a_minute(moments: list[float]) -> int:
    """Count the calls in the busiest minute."""
    return max((sum(1 for m in moments if start <= m < start + 60.0) for start in moments), default=0)


@dataclass(frozen=True)
class Shape:
    """A way in which a service can fail.

    Args:
        error: what every call raises; None: it answers, only late.
        seconds: how long every call to a service hangs before.
        finding: what the worker says; empty: the service's own `.._unreachable`.
    """

    error: KiteRelayError | None
    seconds: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(ALL, 0.0))
    finding: str = ""


SHAPES = {
    "gone": Shape(StoreUnavailableError("down")),
    "refused": Shape(ConfigurationError("it is no use")),
    "wrong region": Shape(AccessRefusedError("no such thing", "aws_missing"), finding="aws_missing"),
    "hangs until botocore gives up": Shape(StoreUnavailableError("time-out"), GIVEN_UP),
    "hangs for 10 s": Shape(StoreUnavailableError("time-out"), dict.fromkeys(ALL, 10.5)),
    "hangs for 60 s": Shape(StoreUnavailableError("time-out"), dict.fromkeys(ALL, 60.0)),
    "answers after 30 s": Shape(None, dict.fromkeys(ALL, 30.0)),
    "answers after 60 s": Shape(None, dict.fromkeys(ALL, 60.0)),
}


async def strike(world: World, dead: tuple[str, ...], shape: Shape) -> None:
    """Let some services fail for an hour, and look what the worker makes of it."""
    for name in dead:
        world.fakes(name).trouble = shape.error
        world.slow[name] = shape.seconds[name]
        world.calls[name].clear()
    world.most_under_way.clear()
    began = len(world.ear.packets)
    await asyncio.sleep(60)
    found = {each["code"] for each in world.heart.findings()}
    assert {shape.finding or f"{name}_unreachable" for name in dead} == found
    await asyncio.sleep(HOUR - 60)
    assert len(world.ear.packets) - began == pytest.approx(HOUR, abs=1)
    assert len(world.upstream.lines) == 1
    for name in dead:
        assert len(world.calls[name]) >= HOUR / 120, "a dead service was forgotten"
        assert world.most_under_way[name] <= CALLERS[name], "calls piled up"
        assert most_in_a_minute(world.calls[name]) <= (4 if shape.error is None else 2)


@pytest.mark.promise(17)
@pytest.mark.parametrize("how", SHAPES)
@pytest.mark.parametrize("dead", [*((name,) for name in ALL), ALL], ids="+".join)
def test_ticks_flow_on_while_aws_is_gone(
    dead: tuple[str, ...], how: str, measured: Callable[[str, object], None]
) -> None:
    """Not a tick is missed; it is a finding within a minute, over within one; the dead are spared."""

    async def story(clock: VirtualClock) -> None:
        world = World(clock)
        world.feed.bus.want("bot", {1: Mode.LTP})
        world.store.write(access_token(1))
        await asyncio.sleep(121)  # a long poll has just begun, and will still be answered: the worst moment
        assert world.feed.live
        await strike(world, dead, SHAPES[how])
        if SHAPES[how].error:
            most = max(most_in_a_minute(world.calls[name]) for name in dead)
            measured(f"most calls in a minute, {'+'.join(dead)}: {how}", most)
        for name in dead:
            world.fakes(name).trouble = None
            world.slow[name] = 0.0
        await asyncio.sleep(max(SHAPES[how].seconds.values()))  # what hangs hangs: nobody can call it back
        await asyncio.sleep(60)
        assert world.heart.findings() == []
        assert not any(task.done() for task in world.tasks)

    run(story)


def test_a_token_stored_during_the_outage_of_the_queue_is_found_by_looking() -> None:
    """SQS is dead, SSM is not: within 75 seconds the feed is on the new token."""

    async def story(clock: VirtualClock) -> None:
        world = World(clock)
        world.feed.bus.want("bot", {1: Mode.LTP})
        world.store.write(access_token(1))
        await asyncio.sleep(120)
        world.inbox.trouble = StoreUnavailableError("down")
        world.store.write(access_token(2))
        await asyncio.sleep(75)
        assert world.feed.live
        assert [line.token for line in world.upstream.standing] == [access_token(2)]

    run(story)


@pytest.mark.promise(17)
def test_what_happened_during_the_outage_of_the_board_is_told_after_it() -> None:
    """The timeline loses nothing, and the heartbeat on the board is the newest."""

    async def story(clock: VirtualClock) -> None:
        world = World(clock)
        world.feed.bus.want("bot", {1: Mode.LTP})
        world.store.write(access_token(1))
        await asyncio.sleep(120)
        world.board.trouble = StoreUnavailableError("down")
        world.store.write(access_token(2))
        await asyncio.sleep(300)
        world.board.trouble = None
        await asyncio.sleep(61)
        told = [
            (entry["what"], entry["generation"])
            for key, (item, _) in world.board.items.items()
            if key.startswith("timeline#")
            for entry in item["entries"]
        ]
        assert ("first_tick", 2) in told
        beat = Heartbeat.from_item(world.board.items[Heartbeat.KEY][0])
        assert beat is not None
        assert beat.generation == 2
        assert beat.heartbeat_at is not None
        assert (clock.now() - beat.heartbeat_at).total_seconds() <= 11

    run(story)


def test_a_mute_feed_is_a_finding_and_leaves_the_worker_ready() -> None:
    """Clients get what there is, and no other worker would get more: only what keeps them from it makes it unready."""

    async def story(clock: VirtualClock) -> None:
        world = World(clock)
        world.mute = True
        world.feed.bus.want("bot", {1: Mode.LTP})
        await asyncio.sleep(60)
        assert [each["code"] for each in world.heart.unready()] == ["token_missing"]
        world.store.write("token-1")
        await asyncio.sleep(240)
        assert [each["code"] for each in world.heart.findings()] == ["feed_mute"]
        assert world.heart.unready() == []

    run(story)


@pytest.mark.promise(17)
def test_a_wrong_clock_is_found_by_whoever_tells_the_time() -> None:
    """The clock is set back by a minute in the middle of the day: within a minute it is a finding, and on the board."""

    async def story(clock: VirtualClock) -> None:
        world = World(clock)
        skew = Skew(clock)
        world.heart.skew = lambda: skew.seconds
        skew.heard(format_datetime(clock.now(), usegmt=True), 0.05)
        assert world.heart.findings() == []
        skew.heard(format_datetime(clock.now() + timedelta(seconds=60), usegmt=True), 0.05)
        skew.heard(format_datetime(clock.now(), usegmt=True), 5.0)  # a slow answer's date is old
        skew.heard("yesterday", 0.05)
        assert [each["code"] for each in world.heart.findings()] == ["clock_skew"]
        await asyncio.sleep(11)
        beat = Heartbeat.from_item(world.board.items[Heartbeat.KEY][0])
        assert beat is not None
        assert beat.clock_skew_seconds == pytest.approx(-60, abs=1)

    run(story)


@pytest.mark.promise(8)
def test_the_announcement_is_confirmed_only_when_the_move_is_done() -> None:
    """And poison does not hold it up: it goes to the dead-letter queue by itself."""

    async def story(clock: VirtualClock) -> None:
        world = World(clock)
        bus = FakeEventBus(world.inbox)
        world.feed.bus.want("bot", {1: Mode.LTP})
        world.inbox.send("poison")
        generation = world.store.write(access_token(1))
        bus.announce(rotated(world, generation))
        await asyncio.sleep(5)
        assert world.feed.live
        assert [each.body for each in world.inbox.standing.values()] == ["poison"]
        await asyncio.sleep(200)
        assert world.inbox.dead_letters == ["poison"]

    run(story)


def rotated(world: World, generation: int) -> TokenRotated:
    """Make an announcement."""
    return TokenRotated(generation, world.store.name, "AB1234", world.clock.now(), "login")
