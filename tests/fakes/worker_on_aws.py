"""The real worker as a process of its own, over moto's SSM, SQS and DynamoDB, against the simulated Kite."""

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from moto.server import ThreadedMotoServer
from moto.sqs.models import sqs_backends

from kite_relay.adapters.clock import SystemClock
from kite_relay.adapters.dynamodb import DynamoBoard
from kite_relay.domain.events import DETAIL_TYPE, SOURCE, TokenRotated
from kite_relay.domain.records import Heartbeat
from tests.fakes.aws import environment
from tests.fakes.dynamodb import make_board
from tests.fakes.sqs import attended_polls
from tools.devstack.cloud import ACCOUNT, REGION, ROOT_KEY
from tools.simulator import Simulator
from tools.simulator.server import API_KEY

ROOT = Path(__file__).parents[2]
NAME = "/kite-relay/access_token"
WORKER = ("-m", "worker.main")
HIDDEN_SECONDS = 3
CONVERGE_SECONDS = 30.0
SET_UP_SECONDS = 120.0
"""For what comes before the measurement, on a busy machine."""


class Cloud:
    """moto, and what the template would have made in it."""

    def __init__(self) -> None:
        self.server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.server.start()
        host, port = self.server.get_host_and_port()
        self.environment = environment(f"http://{host}:{port}")
        options: Any = {
            "endpoint_url": self.environment["AWS_ENDPOINT_URL"],
            "region_name": REGION,
            "aws_access_key_id": ROOT_KEY,
            "aws_secret_access_key": ROOT_KEY,
        }
        reset = urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")
        urllib.request.urlopen(reset).close()  # noqa: S310 - moto's memory is the process's
        self.ssm = boto3.client("ssm", **options)
        self.sqs = boto3.client("sqs", **options)
        self.dynamodb = boto3.client("dynamodb", **options)
        self.letters = self.sqs.create_queue(QueueName="dead")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.letters, AttributeNames=["QueueArn"])["Attributes"]
        policy = json.dumps({"deadLetterTargetArn": arn["QueueArn"], "maxReceiveCount": 3})
        attributes: Any = {"VisibilityTimeout": str(HIDDEN_SECONDS), "RedrivePolicy": policy}
        self.queue = self.sqs.create_queue(QueueName="announcements", Attributes=attributes)["QueueUrl"]
        make_board(self.dynamodb, "board")
        self.ssm.put_parameter(Name="/kite-relay/api_key", Value=API_KEY, Type="SecureString")

    def login(self, token: str) -> int:
        """Store a token and announce it, as the login does."""
        version = self.ssm.put_parameter(Name=NAME, Value=token, Type="SecureString", Overwrite=True)["Version"]
        event = TokenRotated(version, NAME, "AB1234", datetime.now(UTC), "login")
        self.send(json.dumps({"source": SOURCE, "detail-type": DETAIL_TYPE, "detail": event.to_detail()}))
        return version

    def send(self, body: str) -> None:
        """Put a message into the queue."""
        self.sqs.send_message(QueueUrl=self.queue, MessageBody=body)

    def count(self, url: str) -> int:
        """Count what stands in a queue, hidden or not.

        Asked for it, moto counts first these and then those: one that comes back in between counts twice, or never.
        """
        return len(sqs_backends[ACCOUNT][REGION].queues[url.rpartition("/")[2]]._messages)


class Process:
    """A worker process and its log."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self._new = asyncio.Event()
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            text = line.decode()
            self.lines.append(json.loads(text) if text.startswith("{") else {"event": text})
            self._new.set()

    async def until(self, *, within: float = CONVERGE_SECONDS, **facts: object) -> dict[str, Any]:
        """Wait for a log line with these facts."""
        async with asyncio.timeout(within):
            while True:
                self._new.clear()
                for line in self.lines:
                    if facts.items() <= line.items():
                        return line
                await self._new.wait()

    async def stop(self) -> tuple[int, float]:
        """Ask it to end; gives its exit code and how long it took."""
        began = time.monotonic()
        self.process.terminate()
        code = await self.process.wait()
        await self._reading
        return code, time.monotonic() - began

    async def died(self) -> int:
        """Wait for its death."""
        async with asyncio.timeout(CONVERGE_SECONDS):
            code = await self.process.wait()
        await self._reading
        return code


class Stage:
    """One cloud, one Kite, any number of workers after each other."""

    def __init__(self, sim: Simulator, folder: Path) -> None:
        self.sim = sim
        self.cloud = Cloud()
        self._folder = folder
        self._processes: list[Process] = []

    async def start(self, *command: str, **variables: str) -> Process:
        """Start a worker."""
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **self.cloud.environment,
            "QUEUE_URL": self.cloud.queue,
            "BOARD_TABLE": "board",
            "KITE_API_ROOT": self.sim.rest_root,
            "KITE_TICKER_ROOT": self.sim.ticker_root,
            "RELAY_PORT": "0",
            "WEB_PORT": "0",
            "STATE_DIR": str(self._folder),
            **variables,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._processes.append(Process(process))
        return self._processes[-1]

    async def heartbeat(self) -> dict[str, Any]:
        """Read what the workers told the board last."""
        return await self.record(Heartbeat.KEY)

    async def record(self, key: str) -> dict[str, Any]:
        """Read a record of the board."""
        board = DynamoBoard(self.cloud.dynamodb, "board", SystemClock())
        return dict((await asyncio.to_thread(board.get, [key]))[key])

    async def until_empty(self, url: str) -> None:
        """Wait until a queue holds nothing."""
        async with asyncio.timeout(CONVERGE_SECONDS):
            while self.cloud.count(url):  # noqa: ASYNC110 - moto has no events
                await asyncio.sleep(0.2)

    async def until_told(self, right: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until the worker's heartbeat on the board says the right thing; gives it."""
        async with asyncio.timeout(CONVERGE_SECONDS):
            while not right(beat := await self.heartbeat()):  # noqa: ASYNC110 - moto has no events
                await asyncio.sleep(0.2)
        return beat

    async def end(self) -> None:
        """End what still runs."""
        for each in self._processes:
            if each.process.returncode is None:
                each.process.kill()
                await each.died()
        await asyncio.to_thread(self.cloud.server.stop)


@asynccontextmanager
async def set_stage(folder: Path) -> AsyncIterator[Stage]:
    """Set the stage, and clear it."""
    with attended_polls():
        async with Simulator(updates=5, frames=5) as sim:
            stage = Stage(sim, folder)
            try:
                yield stage
            finally:
                await stage.end()
