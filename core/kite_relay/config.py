"""From the environment to the ports, for every deployable, so that functions, worker and command line agree.

Every problem of the environment is collected, and all are told at once.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, overload
from urllib.parse import urlsplit

from kite_relay.adapters.aws import ATTEMPTS, READ_SECONDS, make_client
from kite_relay.adapters.clock import SystemClock
from kite_relay.adapters.dynamodb import DynamoBoard
from kite_relay.adapters.env_file import EnvFile, FileParameters, FileTokenStore, WatchedFileBus
from kite_relay.adapters.eventbridge import EventBridgeBus
from kite_relay.adapters.file_inbox import FileInbox
from kite_relay.adapters.kite_rest import KiteRest
from kite_relay.adapters.skew import Heard, Skew
from kite_relay.adapters.sqlite_board import SqliteBoard
from kite_relay.adapters.sqs import LONGEST_WAIT, SqsInbox
from kite_relay.adapters.ssm import SsmParameters, SsmTokenStore
from kite_relay.domain.errors import ConfigurationError
from kite_relay.domain.token import LOGGED_OUT
from kite_relay.logging import scrubber
from kite_relay.ports import Clock, EventBus, Inbox, KiteSession, Parameters, StatusBoard, TokenStore

T = TypeVar("T")
DEFAULT_PREFIX = "/kite-relay"
KITE_API_ROOT = "https://api.kite.trade"
KITE_LOGIN_ROOT = "https://kite.zerodha.com"
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
"""This machine: only here a secret may travel without TLS."""


class Environment:
    """Reads variables and remembers what was wrong; `check` raises once, with every problem."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._problems: list[str] = []

    @overload
    def get(self, name: str, default: str | None = None) -> str: ...

    @overload
    def get(self, name: str, default: str | None = None, parse: Callable[[str], T] = ...) -> T: ...

    def get(self, name: str, default: str | None = None, parse: Callable[[str], Any] = str) -> Any:
        """Read one variable; without a default it must be set. A problem is remembered, and told by `check`."""
        text = self._variables.get(name) or default
        if text is None:
            self._problem(f"{name} is not set")
            return None  # never used: check() raises before
        try:
            return parse(text)
        except ValueError as error:
            self._problem(f"{name}: {error}")
            return None  # never used: check() raises before

    def _problem(self, text: str) -> None:
        if text not in self._problems:
            self._problems.append(text)

    def check(self) -> None:
        """Raise if anything was wrong.

        Raises:
            ConfigurationError: every problem, in one sentence.
        """
        if self._problems:
            raise ConfigurationError("the environment is not complete: " + "; ".join(self._problems))


@dataclass(frozen=True, slots=True)
class LoginDeployable:
    """What the function login_callback, and the command line's `login`, work with."""

    allowed_user_ids: tuple[str, ...]
    login_root: str
    clock: Clock
    tokens: TokenStore
    parameters: Parameters
    bus: EventBus
    board: StatusBoard
    kite: KiteSession


@dataclass(frozen=True, slots=True)
class StatusDeployable:
    """What the function status works with: it reads, and decrypts nothing."""

    relay_url: str
    clock: Clock
    tokens: TokenStore
    parameters: Parameters
    board: StatusBoard


@dataclass(frozen=True, slots=True)
class WorkerDeployable:
    """What the worker works with."""

    clock: Clock
    tokens: TokenStore
    parameters: Parameters
    inbox: Inbox
    board: StatusBoard
    skew: Skew


def learn(secret: str) -> None:
    """Tell the scrubber of a secret; what stands for a token after a logout is none."""
    if secret != LOGGED_OUT:
        scrubber.learn(secret)


class AwsStores:
    """Makes the adapters over AWS, each when asked: a client costs a Lambda's cold start 30 ms and more.

    Args:
        environment: gives `PARAMETER_PREFIX`, `BOARD_TABLE`, `EVENT_BUS` and `QUEUE_URL`.
        clock: the deployable's clock.
        attempts: how often a call is tried; once for a caller that has a policy of its own.
        heard: told what time it is at AWS.
    """

    def __init__(
        self, environment: Environment, clock: Clock, attempts: int = ATTEMPTS, heard: Heard | None = None
    ) -> None:
        self._environment = environment
        self._clock = clock
        self._attempts = attempts
        self._heard = heard
        self._prefix = environment.get("PARAMETER_PREFIX", DEFAULT_PREFIX).rstrip("/")

    @cached_property
    def _ssm(self) -> Any:
        return make_client("ssm", attempts=self._attempts, heard=self._heard)

    def tokens(self) -> TokenStore:
        """Make the token's store: SSM."""
        return SsmTokenStore(self._ssm, f"{self._prefix}/access_token", learn)

    def parameters(self) -> Parameters:
        """Make the settings' store: SSM."""
        return SsmParameters(self._ssm, self._prefix, learn)

    def board(self) -> StatusBoard:
        """Make the board: DynamoDB."""
        table = self._environment.get("BOARD_TABLE")
        self._environment.check()
        client = make_client("dynamodb", attempts=self._attempts, heard=self._heard)
        return DynamoBoard(client, table, self._clock)

    def bus(self) -> EventBus:
        """Make the bus: EventBridge."""
        bus = self._environment.get("EVENT_BUS")
        self._environment.check()
        return EventBridgeBus(make_client("events"), bus)

    def inbox(self) -> Inbox:
        """Make the inbox: SQS, whose long poll outlasts the other clients' patience."""
        url = self._environment.get("QUEUE_URL")
        self._environment.check()
        client = make_client("sqs", read_seconds=LONGEST_WAIT + READ_SECONDS, attempts=self._attempts)
        return SqsInbox(client, url)


class FileStores:
    """Makes the adapters over one `.env` file and a SQLite file beside it.

    Args:
        path: the `.env` file.
        clock: the deployable's clock.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._file = EnvFile(path, clock, learn)
        self._clock = clock

    def tokens(self) -> TokenStore:
        """Make the token's store."""
        return FileTokenStore(self._file)

    def parameters(self) -> Parameters:
        """Make the settings' store."""
        return FileParameters(self._file)

    def board(self) -> StatusBoard:
        """Make the board."""
        path = self._file.path
        return SqliteBoard(path.with_name(f"{path.name}.board"), self._clock)

    def bus(self) -> EventBus:
        """Make the bus."""
        return WatchedFileBus(self._file.path)

    def inbox(self) -> Inbox:
        """Make the inbox."""
        return FileInbox(self.tokens(), self._file.path, self._clock)


def stores(
    environment: Environment, clock: Clock, *needed: str, attempts: int = ATTEMPTS, heard: Heard | None = None
) -> AwsStores | FileStores:
    """Choose by `ENV_FILE`: set, everything stands in that file and beside it; otherwise in AWS.

    Args:
        environment: where everything is named.
        clock: the deployable's clock.
        needed: the variables that the adapters to be made need in AWS.
        attempts: how often a call to AWS is tried.
        heard: told what time it is at AWS.

    Raises:
        ConfigurationError: the environment is not complete; tells every problem, before the first adapter is made.
    """
    path = environment.get("ENV_FILE", "")
    if path:
        environment.check()
        return FileStores(Path(path).expanduser(), clock)
    for name in needed:
        environment.get(name)
    environment.check()
    return AwsStores(environment, clock, attempts, heard)


def user_ids(text: str) -> tuple[str, ...]:
    """Read `ALLOWED_USER_IDS`: Zerodha user ids, comma separated.

    Raises:
        ValueError: there is none, or one that no Zerodha user has; says which.
    """
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    for user_id in found:
        if not re.fullmatch(r"[A-Z0-9]{2,12}", user_id):
            raise ValueError(f"{user_id!r} is no Zerodha user id: capital letters and digits, such as AB1234")
    if not found:
        raise ValueError("name the Zerodha user id that may log in, such as AB1234")
    return found


def http_root(text: str) -> str:
    """Read a root such as https://api.kite.trade: secrets travel there, so plain http is for this machine only.

    Raises:
        ValueError: it is no such root.
    """
    parts = urlsplit(text)
    local = parts.scheme == "http" and parts.hostname in LOCAL_HOSTS
    if not parts.hostname or not (parts.scheme == "https" or local) or parts.path.strip("/") or parts.query:
        raise ValueError(f"{text!r} is no https:// address without a path (http:// only for this machine)")
    return f"{parts.scheme}://{parts.netloc}"


def login_deployable(variables: Mapping[str, str] = os.environ) -> LoginDeployable:
    """Wire login_callback from the environment.

    Raises:
        ConfigurationError: the environment is not complete; tells every problem.
    """
    environment, clock = Environment(variables), SystemClock()
    allowed = environment.get("ALLOWED_USER_IDS", parse=user_ids)
    login_root = environment.get("KITE_LOGIN_ROOT", KITE_LOGIN_ROOT, http_root)
    api_root = environment.get("KITE_API_ROOT", KITE_API_ROOT, http_root)
    make = stores(environment, clock, "BOARD_TABLE", "EVENT_BUS")
    parameters = make.parameters()
    kite = KiteRest(api_root, parameters, learn)
    return LoginDeployable(allowed, login_root, clock, make.tokens(), parameters, make.bus(), make.board(), kite)


def status_deployable(variables: Mapping[str, str] = os.environ) -> StatusDeployable:
    """Wire status from the environment.

    Raises:
        ConfigurationError: the environment is not complete; tells every problem.
    """
    environment, clock = Environment(variables), SystemClock()
    relay_url = environment.get("RELAY_URL", "")
    make = stores(environment, clock, "BOARD_TABLE")
    return StatusDeployable(relay_url, clock, make.tokens(), make.parameters(), make.board())


def worker_deployable(variables: Mapping[str, str] = os.environ) -> WorkerDeployable:
    """Wire the worker's ports from the environment (the settings of its own are in worker/settings.py).

    Raises:
        ConfigurationError: the environment is not complete; tells every problem.
    """
    environment, clock = Environment(variables), SystemClock()
    skew = Skew(clock)
    make = stores(environment, clock, "BOARD_TABLE", "QUEUE_URL", attempts=1, heard=skew.heard)
    return WorkerDeployable(clock, make.tokens(), make.parameters(), make.inbox(), make.board(), skew)
