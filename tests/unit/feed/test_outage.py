"""AWS gone for an hour, each service alone and all together, on a loop whose time is a number."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from kite_relay.domain.errors import ConfigurationError, StoreUnavailableError
from kite_relay.domain.events import TokenRotated
from kite_relay.domain.records import Heartbeat
from kite_relay.domain.ticks import Mode
from kite_relay.domain.token import AccessToken
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

HOUR = 3600.0
SERVICES = ("ssm", "sqs", "dynamodb")


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
        self.calls: dict[str, list[float]] = {name: [] for name in SERVICES}
        self.circuits = {name: Circuit(name, clock, thread=self.counting(name)) for name in SERVICES}
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
            circuits=list(self.circuits.values()),
            reporter=reporter,
            seconds=10.0,
        )
        watch = TokenWatch(
            store=self.store,
            circuit=self.circuits["ssm"],
            clock=clock,
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
        works = (desk.run(), self.heart.run(), watch.run(), reader.run(), self.tick(), self.kite())
        self.tasks = [asyncio.ensure_future(work) for work in works]

    def counting(self, service: str) -> Callable[[Callable[[], Any]], Any]:
        """Run a call inline, note when it was made, and let a receive take its long poll."""

        async def thread(call: Callable[[], Any]) -> Any:
            self.calls[service].append(self.clock.monotonic())
            answer = await inline(call)
            if answer == []:
                await asyncio.sleep(20.0)
            return answer

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

    async def kite(self) -> None:
        """Send a new price each second on every socket."""
        price = 0
        while True:
            await asyncio.sleep(1.0)
            price += 1
            for line in self.upstream.standing:
                if line.modes:
                    line.deliver(packet(1, price))

    def fakes(self, service: str) -> FakeTokenStore | FakeInbox | FakeStatusBoard:
        """Give what stands behind a service."""
        return {"ssm": self.store, "sqs": self.inbox, "dynamodb": self.board}[service]  # type: ignore[return-value]


def most_in_a_minute(moments: list[float]) -> int:
    """Count the calls in the busiest minute."""
    return max((sum(1 for m in moments if start <= m < start + 60.0) for start in moments), default=0)


@pytest.mark.promise(17)
@pytest.mark.parametrize("trouble", [StoreUnavailableError("down"), ConfigurationError("wrong region")], ids=type)
@pytest.mark.parametrize("dead", [("ssm",), ("sqs",), ("dynamodb",), SERVICES], ids="+".join)
def test_ticks_flow_on_while_aws_is_gone(
    dead: tuple[str, ...], trouble: Exception, measured: Callable[[str, object], None]
) -> None:
    """Not a tick is missed; it is a finding within a minute, over within one; the dead are spared."""

    async def story(clock: VirtualClock) -> None:
        world = World(clock)
        world.feed.bus.want("bot", {1: Mode.LTP})
        world.store.write("token-1")
        await asyncio.sleep(120)
        assert world.feed.live
        for name in dead:
            world.fakes(name).trouble = trouble
            world.calls[name].clear()
        began = len(world.ear.packets)
        await asyncio.sleep(60)
        found = {each["code"] for each in world.heart.findings()}
        assert {f"{name}_unreachable" for name in dead} <= found
        await asyncio.sleep(HOUR - 60)
        for name in dead:
            assert len(world.calls[name]) >= 50, "a dead service was forgotten"
            assert most_in_a_minute(world.calls[name]) <= 2
        assert len(world.ear.packets) - began == pytest.approx(HOUR, abs=1)
        assert len(world.upstream.lines) == 1
        measured(f"most calls in a minute, {'+'.join(dead)} gone", max(most_in_a_minute(world.calls[n]) for n in dead))
        for name in dead:
            world.fakes(name).trouble = None
        await asyncio.sleep(60)
        assert world.heart.findings() == []
        assert not any(task.done() for task in world.tasks)

    run(story)


def test_a_token_stored_during_the_outage_of_the_queue_is_found_by_looking() -> None:
    """SQS is dead, SSM is not: within 75 seconds the feed is on the new token."""

    async def story(clock: VirtualClock) -> None:
        world = World(clock)
        world.feed.bus.want("bot", {1: Mode.LTP})
        world.store.write("token-1")
        await asyncio.sleep(120)
        world.inbox.trouble = StoreUnavailableError("down")
        world.store.write("token-2")
        await asyncio.sleep(75)
        assert world.feed.live
        assert [line.token for line in world.upstream.standing] == ["token-2"]

    run(story)


@pytest.mark.promise(17)
def test_what_happened_during_the_outage_of_the_board_is_told_after_it() -> None:
    """The timeline loses nothing, and the heartbeat on the board is the newest."""

    async def story(clock: VirtualClock) -> None:
        world = World(clock)
        world.feed.bus.want("bot", {1: Mode.LTP})
        world.store.write("token-1")
        await asyncio.sleep(120)
        world.board.trouble = StoreUnavailableError("down")
        world.store.write("token-2")
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


@pytest.mark.promise(8)
def test_the_announcement_is_confirmed_only_when_the_move_is_done() -> None:
    """And poison does not hold it up: it goes to the dead-letter queue by itself."""

    async def story(clock: VirtualClock) -> None:
        world = World(clock)
        bus = FakeEventBus(world.inbox)
        world.feed.bus.want("bot", {1: Mode.LTP})
        world.inbox.send("poison")
        generation = world.store.write("token-1")
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
