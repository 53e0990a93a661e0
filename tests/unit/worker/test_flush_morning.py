"""A login before 07:30 is doubted: Kite may still flush its token. After 07:30 Kite's own word ends the doubt."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from kite_relay.domain.errors import KiteUnavailableError
from kite_relay.domain.handover_types import Report, TokenId, What
from kite_relay.domain.records import TokenCheck, TokenRecord
from kite_relay.domain.status_token import Doubt, TokenFacts, TokenStatus, TokenView, judge_token
from kite_relay.domain.token import AccessToken, TokenStamp
from tests.fakes.kite import FakeKiteSession
from tests.fakes.kite_lines import FakeLine, FakeUpstream
from tests.fakes.stores import FakeStatusBoard
from tests.fakes.trouble import FakeClock
from tests.fakes.virtual_time import inline
from worker.circuit import Circuit
from worker.desk import Desk
from worker.feed import Feed
from worker.metrics import Metrics
from worker.reporter import Reporter


def at(clock: str) -> datetime:
    """Read a time of 2026-11-25, a trading day, in India."""
    return datetime.fromisoformat(f"2026-11-25T{clock}+05:30")


TOKEN = AccessToken("early-bird", 7, at("06:40:00"))


class Morning:
    """The worker's feed and reporter, from 06:40, with Kite played; the board is read as status reads it."""

    def __init__(self) -> None:
        self.clock = FakeClock(TOKEN.written_at)
        self.kite = FakeKiteSession()
        self.kite.alive[TOKEN.value] = "AB1234"
        self.board = FakeStatusBoard(self.clock)
        self.desk = Desk(self.board, Circuit("dynamodb", self.clock, thread=inline), self.clock)
        self.away = False
        self.upstream = FakeUpstream(answer=self.fail_if_away)
        self.answered = asyncio.Event()
        reporter = Reporter(self.desk, Metrics(), self.clock, self.kite, lambda: None)
        self.feed = Feed(
            upstream=self.upstream,
            clock=self.clock,
            roll=lambda: 0.5,
            watcher=reporter,
            later=lambda seconds, call: asyncio.get_running_loop().call_later(seconds, call),
        )
        reporter.answer = self.answer

    def answer(self, token: AccessToken, answer: bool | None) -> None:
        """Pass Kite's answer on, and notice it."""
        self.feed.probed(token, answer)
        self.answered.set()

    def fail_if_away(self, line: FakeLine) -> None:
        """End a dial at once while the network is away."""
        if self.away:
            line.events.closed("the network is away")

    async def begin(self) -> None:
        """Log in, and let Kite accept the token, by REST and by the ticker."""
        self.feed.token_seen(TOKEN)
        self.upstream.lines[-1].events.opened()
        await self.asked()

    async def asked(self) -> None:
        """Wait for Kite's answer to a probe."""
        await asyncio.wait_for(self.answered.wait(), 10)
        self.answered.clear()

    def until(self, clock: str) -> None:
        """Let time pass, with Kite's heartbeats."""
        while self.clock.now() < at(clock):
            self.pass_a_second()

    def pass_a_second(self) -> None:
        """Let a second pass."""
        self.clock.advance(1)
        for line in self.upstream.standing:
            line.events.frame(b"\x00")
        self.feed.tick()

    async def status(self) -> TokenView:
        """Judge the token by what stands on the board."""
        await self.desk.drain()
        check = TokenCheck.from_item(self.board.get([TokenCheck.KEY]).get(TokenCheck.KEY))
        record = TokenRecord(TOKEN.generation, "AB1234", minted_at=TOKEN.written_at, source="login")
        stamp = TokenStamp(TOKEN.generation, TOKEN.written_at)
        return judge_token(TokenFacts(stamp, record, check), self.clock.now())


@pytest.fixture
async def morning() -> AsyncIterator[Morning]:
    """Begin a morning at 06:40 with a fresh token that Kite accepts."""
    found = Morning()
    writing: asyncio.Task[Any] = asyncio.create_task(found.desk.run())
    await found.begin()
    yield found
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)


async def test_a_token_that_outlives_the_flush_becomes_valid(morning: Morning) -> None:
    """Kite is asked once more, right after 07:30, and its yes is on the board for status."""
    before = await morning.status()
    assert (before.status, before.doubt) == (TokenStatus.SUSPECT, Doubt.FLUSH_WINDOW)
    morning.until("07:29:59")
    assert (await morning.status()).status is TokenStatus.SUSPECT
    assert morning.kite.calls["profile"] == 1
    morning.until("07:30:01")
    await morning.asked()
    after = await morning.status()
    assert (after.status, after.doubt) == (TokenStatus.VALID, None)
    assert after.verified_at is not None
    assert after.verified_at >= at("07:30:00")
    assert after.expires_at == datetime.fromisoformat("2026-11-26T06:00+05:30")
    assert morning.kite.calls["profile"] == 2


async def test_a_token_that_was_flushed_is_rejected(morning: Morning) -> None:
    """Kite left the socket open: only the question shows that the token died."""
    morning.kite.alive.clear()
    morning.until("07:30:01")
    await morning.asked()
    assert (await morning.status()).status is TokenStatus.REJECTED


async def test_kite_without_an_answer_is_asked_again(morning: Morning) -> None:
    """The doubt stays until it answers."""
    morning.kite.fail_next("profile", KiteUnavailableError("no answer"))
    morning.until("07:30:01")
    await morning.asked()
    assert (await morning.status()).status is TokenStatus.SUSPECT
    morning.until("07:31:10")
    await morning.asked()
    assert (await morning.status()).status is TokenStatus.VALID


async def test_a_network_that_was_away_at_the_moment(morning: Morning) -> None:
    """Without a socket at 07:30, the next handshake that Kite accepts is its word."""
    morning.until("07:29:50")
    morning.away = True
    morning.upstream.lines[-1].events.closed("the network is away")
    morning.until("07:30:30")
    assert not morning.feed.links
    assert (await morning.status()).status is TokenStatus.SUSPECT
    morning.away = False
    while not morning.feed.links:
        morning.pass_a_second()
    morning.upstream.lines[-1].events.opened()
    assert (await morning.status()).status is TokenStatus.VALID


async def test_the_metric_forecasts_the_end_as_the_status_does() -> None:
    """A token of yesterday's that Kite accepts after the flush lives to the next morning: no alert may call it dead."""
    clock, metrics = FakeClock(at("08:00:00")), Metrics()
    desk = Desk(FakeStatusBoard(clock), Circuit("dynamodb", clock, thread=inline), clock)
    reporter = Reporter(desk, metrics, clock, FakeKiteSession(), lambda: None)
    yesterdays = TokenId(7, at("08:30:00") - timedelta(days=1))

    def forecast() -> float | None:
        return metrics.registry.get_sample_value("kite_relay_token_expected_expiry_timestamp_seconds")

    reporter.on_report(Report(What.ADOPTED, yesterdays))
    assert forecast() == at("06:00:00").timestamp()
    reporter.on_report(Report(What.VERIFIED, yesterdays))
    record = TokenRecord(7, "AB1234", minted_at=yesterdays.written_at, source="login")
    facts = TokenFacts(TokenStamp(7, yesterdays.written_at), record, TokenCheck(7, clock.now()))
    expected = judge_token(facts, clock.now()).expires_at
    assert expected == at("06:00:00") + timedelta(days=1)
    assert forecast() == expected.timestamp()
