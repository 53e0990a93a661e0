"""The whole system on this machine, brought up and taken down: embedded AWS, simulator, front page, worker."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientError, ClientSession

from kite_relay.adapters.clock import SystemClock
from kite_relay.adapters.dynamodb import DynamoBoard
from kite_relay.domain.relay_keys import KEY_ENTROPY, KeyRing, RelayKey, Scope, hash_key, make_key
from kite_relay.ports import StatusBoard
from tools.cli.rotate import Patience, Rotation, to_file
from tools.devstack import cloud, programs, wiring
from tools.devstack.children import Child, Children, end_leftovers
from tools.devstack.front import Front
from tools.devstack.places import HOST, Home, Ports
from tools.devstack.recorder import Recorder
from tools.devstack.trouble import StackError

USER_ID = "AB1234"
START_SECONDS = 60.0
POLL_SECONDS = 0.05
OK = 200

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What differs from one stack to the next.

    Args:
        simulator: more arguments for the simulator.
        worker: more environment for the worker.
        record: write down every call that the Lambdas and the worker make to AWS.
    """

    simulator: tuple[str, ...] = ()
    worker: Mapping[str, str] = field(default_factory=dict)
    record: bool = False


NOTHING_MORE = Options()


class DevStack:
    """`async with DevStack(...) as stack:`: up when it enters, gone when it leaves.

    Args:
        home: its folder; one stack at a time in each.
        ports: where it listens.
        options: what differs.
        say: takes one line of progress.
    """

    def __init__(self, home: Home, ports: Ports, options: Options = NOTHING_MORE, say: Say = print) -> None:
        self.home = home
        self.ports = ports
        self.aws = cloud.clients(ports)
        self.children = Children(home)
        self.deployed: wiring.Deployed | None = None
        self.relay_key = make_key(secrets.token_bytes(KEY_ENTROPY))
        self.recorder = Recorder(ports.recorder, ports.ministack, cloud.ACCOUNT)
        self.worker_key: str | None = None
        self._options = options
        self._say = say
        self._front = Front(ports.page, ports.ministack, lambda: self.api_id)
        self._began = time.monotonic()

    async def __aenter__(self) -> Self:
        self._check()
        try:
            await self._up()
        except BaseException:
            await self._down()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._down()

    @property
    def api_id(self) -> str | None:
        """The HTTP API's id, once it is wired."""
        return self.deployed.outputs["ApiId"] if self.deployed else None

    @property
    def page(self) -> str:
        """The address for the browser."""
        return f"http://localhost:{self.ports.page}"

    @property
    def simulator(self) -> str:
        """The simulator's root."""
        return f"http://{HOST}:{self.ports.simulator}"

    @property
    def relay(self) -> str:
        """The relay's root."""
        return f"ws://{HOST}:{self.ports.relay}"

    @property
    def aws_endpoint(self) -> str:
        """Where the Lambdas and the worker find AWS."""
        return f"http://{HOST}:{self.ports.recorder if self._options.record else self.ports.ministack}"

    @property
    def seconds(self) -> float:
        """How long it has been since the command was typed."""
        return time.monotonic() - self._began

    @cached_property
    def board(self) -> StatusBoard:
        """The status board, seen by the administrator.

        Raises:
            StackError: nothing is deployed yet.
        """
        if self.deployed is None:
            raise StackError("the status board is not deployed yet")
        return DynamoBoard(self.aws.dynamodb, self.deployed.outputs["BoardTableName"], SystemClock())

    async def wait_until(self, what: str, true: Callable[[], Awaitable[bool]]) -> None:
        """Wait for a condition while every program lives.

        Raises:
            StackError: a program died, or it took longer than a minute.
        """
        deadline = time.monotonic() + START_SECONDS
        while not await true():
            if child := self.children.dead():
                raise StackError(died(child))
            if time.monotonic() > deadline:
                raise StackError(f"{what} took longer than {START_SECONDS:.0f} s; see {self.home.logs}")
            await asyncio.sleep(POLL_SECONDS)

    async def wait_for_url(self, what: str, url: str) -> None:
        """Wait until an address answers with 200."""
        async with ClientSession() as session:

            async def answers() -> bool:
                try:
                    async with session.get(url) as answer:
                        return answer.status == OK
                except (ClientError, OSError):
                    return False

            await self.wait_until(what, answers)

    async def tell_simulator(self, control: str, arguments: Mapping[str, Any]) -> None:
        """Use one of the simulated Kite's controls.

        Raises:
            StackError: it was not taken.
        """
        url = f"{self.simulator}/sim/{control}"
        async with ClientSession() as session, session.post(url, json=dict(arguments)) as answer:
            if not answer.ok:
                raise StackError(f"the simulator did not take {control}: {await answer.text()}")

    async def start_worker(self) -> None:
        """Start the worker under its own access key, and wait until it is alive."""
        if self.deployed is None:
            raise StackError("the worker needs the deployed stack")
        env = programs.worker_env(self.home, self.ports, self.deployed.outputs, self.aws_endpoint)
        await self.children.start("worker", programs.worker_command(), env | dict(self._options.worker))
        await self.wait_for_url("the worker's start", f"http://{HOST}:{self.ports.worker}/healthz")

    def rotation(self, say: Say, patience: Patience) -> Rotation:
        """Prepare what `kite-relay rotate` does for this stack's worker.

        Raises:
            StackError: nothing is deployed yet.
        """
        board = self.board
        user = self.deployed.outputs["WorkerUserName"] if self.deployed else ""
        return Rotation(self.aws.iam, user, board, to_file(self.home.key), say, patience)

    def parameters(self) -> dict[str, str]:
        """Give the template's parameters: the same template, told of this machine."""
        return {
            "AllowedUserIds": USER_ID,
            "KiteApiRoot": self.simulator,
            "KiteLoginRoot": f"http://localhost:{self.ports.simulator}",
            "RelayUrl": f"ws://localhost:{self.ports.relay}",
        }

    def _check(self) -> None:
        cloud.require_environments()
        if left := end_leftovers(self.home):
            self._say(f"An earlier run had left these behind; they are ended now: {', '.join(left)}.")
        self.home.forget()
        if taken := self.ports.taken():
            named = ", ".join(f"{port} ({name})" for name, port in taken.items())
            raise StackError(
                f"another program listens on {named}. End it, or move all ports: KITE_RELAY_PORT_BASE=4700 make run"
            )

    async def _up(self) -> None:
        await self._front.start()
        if self._options.record:
            await self.recorder.start()
        await cloud.start_ministack(self.children, self.home, self.ports, self.aws_endpoint)
        command = programs.simulator_command(self.ports, self.page, self._options.simulator)
        await self.children.start("simulator", command, programs.ours(self.home))
        self.built, _ = await asyncio.gather(
            cloud.build(self.children, self.home),
            self.wait_for_url("MiniStack's start", f"http://{HOST}:{self.ports.ministack}/_ministack/health"),
        )
        self._progress("the Lambdas and their layer are built (sam build, if anything in them has changed)")
        await cloud.deploy(self.children, self.home, self.ports, self.built, self.parameters())
        self._progress("deployed template.yaml to the embedded AWS (sam deploy)")
        await asyncio.to_thread(self._wire)
        await self.start_worker()
        self._progress("started the worker under its own access key")
        await self.wait_for_url("the pages", f"http://{HOST}:{self.ports.page}/api/health")
        self._progress("the pages answer")

    def _wire(self) -> None:
        deployed = wiring.Deployed.read(self.aws, cloud.STACK)
        wiring.wire_routes(self.aws, cloud.STACK, deployed)
        scopes = frozenset((Scope.TICKS, Scope.ORDERS))
        ring = KeyRing().add(RelayKey("local", hash_key(self.relay_key), scopes, datetime.now(UTC)))
        wiring.seed(
            self.aws,
            deployed.outputs["ParameterPrefix"],
            secrets={"api_key": programs.API_KEY, "api_secret": programs.API_SECRET},
            plain={"relay_keys": ring.to_json()},
        )
        self.deployed = deployed
        self.worker_key = self.rotation(lambda _: None, Patience()).run()

    async def _down(self) -> None:
        await self.children.stop_all()
        await self._front.stop()
        await self.recorder.stop()

    def _progress(self, what: str) -> None:
        self._say(f"  {self.seconds:5.1f} s  {what}")


def died(child: Child) -> str:
    """Say that a program ended by itself, and what its last words were."""
    status = child.process.returncode
    return f"{child.name} ended by itself ({status}); its last words, from {child.log}:\n{child.tail()}"
