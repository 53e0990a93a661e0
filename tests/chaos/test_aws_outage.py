"""AWS in trouble in front of the real worker: SSM, SQS and DynamoDB hang, refuse, throttle and come back."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from websockets.asyncio.client import ClientConnection, connect

from kite_relay.domain.relay_keys import KeyRing, RelayKey, Scope, hash_key
from tests.conftest import SOAK
from tests.fakes.canaries import RELAY_KEY
from tests.fakes.worker_on_aws import SET_UP_SECONDS, WORKER, Stage, set_stage
from tests.fakes.worker_process import free_port
from tools.devstack.proxy import Proxy

MINUTE, MOST_CALLS, LONGEST_SILENCE, CLOCK_SECONDS = 60.0, 2, 3.0, 2.0
SERVICES = {"AmazonSSM": "ssm", "AmazonSQS": "sqs", "DynamoDB_20120810": "dynamodb"}
UNREACHABLE = {f"{name}_unreachable" for name in SERVICES.values()}
TROUBLES = {
    "throttled": UNREACHABLE,
    "gone": UNREACHABLE,
    "hanging": UNREACHABLE,
    "key expired": {"aws_key"},
    "wrong region": {"aws_missing"},
}
CODES = {
    "throttled": "ThrottlingException",
    "key expired": "ExpiredTokenException",
    "wrong region": "ResourceNotFoundException",
}
pytestmark = [pytest.mark.promise(17), pytest.mark.xdist_group("processes"), pytest.mark.timeout(3600)]


class Front(Proxy):
    """Stands before moto, in trouble or not, and notes when each service was asked."""

    def __init__(self, behind: str) -> None:
        self.port = free_port()
        super().__init__(self.port, most_bytes=1 << 20)
        self.trouble = ""
        self.ahead = timedelta()
        """How far its clock, as the answers' dates tell it, is ahead of ours."""
        self.asked: dict[str, list[float]] = {name: [] for name in SERVICES.values()}
        self._behind = behind
        self._over = asyncio.Event()

    def strike(self, trouble: str) -> None:
        """Be in trouble from now on; empty: be well again."""
        self.trouble = trouble
        self._over.set()
        self._over = asyncio.Event()
        for asked in self.asked.values():
            asked.clear()

    async def pass_on(self, session: ClientSession, request: web.Request) -> web.Response:
        """Answer as the trouble has it."""
        service = SERVICES[request.headers["X-Amz-Target"].split(".")[0]]
        self.asked[service].append(time.monotonic())
        if self.trouble == "hanging":
            await self._over.wait()
        if self.trouble in CODES:
            return web.json_response({"__type": f"com.amazonaws#{CODES[self.trouble]}", "message": ""}, status=400)
        if self.trouble and request.transport:
            request.transport.abort()
        body = await request.read()
        async with session.post(self._behind, data=body, headers=request.headers, skip_auto_headers=["Host"]) as answer:
            date = format_datetime(datetime.now(UTC) + self.ahead, usegmt=True)
            kind = {"Content-Type": answer.headers["Content-Type"], "Date": date}
            self.asked[service].clear()  # a long poll from before the trouble: until now the service has answered
            return web.Response(status=answer.status, body=await answer.read(), headers=kind)

    def busiest_minute(self) -> int:
        """Count the requests to one service in its busiest minute."""
        return max(
            sum(1 for other in asked if start <= other < start + MINUTE)
            for asked in self.asked.values()
            for start in asked or [0.0]
        )


class Watcher:
    """A client of the relay that reads all the time, and the worker's own page."""

    def __init__(self, socket: ClientConnection, web_port: int) -> None:
        self.longest = 0.0
        """The longest time without a packet, in seconds."""
        self._page = f"http://127.0.0.1:{web_port}/readyz"
        self._socket = socket
        self.reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        at = time.monotonic()
        async for message in self._socket:
            if isinstance(message, bytes) and len(message) > 1:
                now = time.monotonic()
                self.longest, at = max(self.longest, now - at), now

    async def findings(self) -> set[str]:
        """Ask the worker what is wrong; it must be ready."""
        async with ClientSession() as session, session.get(self._page) as answer:
            body = await answer.json()
        assert body["status"] == "ready", body
        return {each["code"] for each in body["findings"]}

    async def until(self, findings: set[str]) -> float:
        """Wait until these are told, or none when there are none; gives the seconds that it took."""
        began = time.monotonic()
        while not ((found := await self.findings()) == findings or (findings and findings <= found)):
            assert not self.reading.done(), "the client was disconnected"
            assert time.monotonic() - began <= MINUTE, f"{found} and not {findings}"
            await asyncio.sleep(0.25)
        return time.monotonic() - began


@asynccontextmanager
async def running(stage: Stage, front: Front) -> AsyncIterator[Watcher]:
    """Start the worker behind the front, and a client that gets ticks."""
    ring = KeyRing().add(RelayKey("bot", hash_key(RELAY_KEY), frozenset({Scope.TICKS}), datetime.now(UTC)))
    stage.cloud.ssm.put_parameter(Name="/kite-relay/relay_keys", Value=ring.to_json(), Type="String")
    stage.cloud.login(stage.sim.mint()["access_token"])
    ports = {"RELAY_PORT": str(free_port()), "WEB_PORT": str(free_port())}
    endpoint = f"http://127.0.0.1:{front.port}"
    worker = await stage.start(*WORKER, AWS_ENDPOINT_URL=endpoint, RECONCILE_SECONDS="20", **ports)
    await worker.until(within=SET_UP_SECONDS, step="first_packet")
    url = f"ws://127.0.0.1:{ports['RELAY_PORT']}/?api_key=bot&access_token={RELAY_KEY}"
    async with connect(url, proxy=None) as socket:
        await socket.send(json.dumps({"a": "mode", "v": ["full", [256265]]}))
        watcher = Watcher(socket, int(ports["WEB_PORT"]))
        yield watcher
        assert not watcher.reading.done(), "the client was disconnected"
        watcher.reading.cancel()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[tuple[Stage, Front, Watcher]]:
    """Set everything up."""
    async with set_stage(tmp_path) as stage:
        front = Front(stage.cloud.environment["AWS_ENDPOINT_URL"])
        await front.start()
        try:
            async with running(stage, front) as watcher:
                yield stage, front, watcher
        finally:
            front.strike("")
            await front.stop()


async def test_ticks_flow_while_aws_is_in_trouble(
    scene: tuple[Stage, Front, Watcher], measured: Callable[[str, object], None], at_scale: Callable[[Any, Any], Any]
) -> None:
    """Found within a minute, asked at most twice a minute in real requests, and healed within one."""
    _, front, watcher = scene
    await watcher.until(set())
    for trouble in at_scale(["throttled"], list(TROUBLES)):
        front.strike(trouble)
        found = await watcher.until(TROUBLES[trouble])
        measured(f"all of AWS {trouble}: seconds until it is a finding", round(found, 1))
        await asyncio.sleep(at_scale(5.0, 100.0))
        measured(f"most calls in a minute, real requests, all of AWS {trouble}", front.busiest_minute())
        assert front.busiest_minute() <= MOST_CALLS, front.asked
        if SOAK:
            front.strike("")
            measured(f"all of AWS {trouble}: seconds until all is well again", round(await watcher.until(set()), 1))
    measured("all of AWS in trouble: longest seconds without a tick", round(watcher.longest, 2))
    assert watcher.longest <= LONGEST_SILENCE


async def test_a_wrong_clock_is_on_the_board(scene: tuple[Stage, Front, Watcher]) -> None:
    """AWS's answers tell another time than ours: the worker measures it, and the status reads it."""
    stage, front, watcher = scene
    front.ahead = timedelta(seconds=45)
    await watcher.until({"clock_skew"})
    beat = await stage.until_told(lambda beat: abs(beat["clock_skew_seconds"] + 45) <= CLOCK_SECONDS)
    assert [each["code"] for each in beat["findings"]] == ["clock_skew"]
