"""`kite-relay rotate`: give the worker its AWS key, or a new one in place of the old, without a gap."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kite_relay.adapters.aws import aws_errors, make_client
from kite_relay.adapters.clock import SystemClock
from kite_relay.adapters.dynamodb import DynamoBoard
from kite_relay.adapters.files import replace
from kite_relay.domain.errors import ConfigurationError, StoreUnavailableError
from kite_relay.domain.records import Heartbeat
from kite_relay.ports import StatusBoard
from tools.cli.place import stack_name, stack_variables

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

KEY_FILE = "/etc/kite-relay/aws.json"
WORKER_GROUP = 10001
PICKED_UP_SECONDS = 330.0
"""boto3 in the worker reads the key anew every 300 s (worker/credentials.py)."""
ALIVE_SECONDS = 60.0
"""A worker that lives reports within 10 s."""
MOST_KEYS = 2

app = typer.Typer(add_completion=False)

Deliver = Callable[[str], None]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long each step may take, and how to wait; a test waits otherwise."""

    picked_up: float = PICKED_UP_SECONDS
    alive: float = ALIVE_SECONDS
    sleep: Callable[[float], None] = field(default=time.sleep)


class Rotation:
    """Changes the access key of the worker's user.

    Args:
        iam: the operator's own client.
        user: the worker's IAM user.
        board: where the worker's heartbeat shows that it goes on.
        deliver: takes the key file's content to where the worker reads it.
        say: takes one line of progress; never a secret.
        patience: how long to wait.
    """

    def __init__(
        self, iam: "IAMClient", user: str, board: StatusBoard, deliver: Deliver, say: Say, patience: Patience
    ) -> None:
        self._iam = iam
        self._user = user
        self._board = board
        self._deliver = deliver
        self._say = say
        self._patience = patience

    def run(self) -> str:
        """Make a key, hand it over, and end the old one when the worker lives on without it; returns the new id.

        Raises:
            ConfigurationError: an earlier change was broken off, or there is no access.
            StoreUnavailableError: the worker fell silent without the old key, which works again.
        """
        old = self._keys()
        if len(old) >= MOST_KEYS:
            raise ConfigurationError(
                f"{self._user} has two keys, so an earlier change was broken off: {', '.join(old)}. "
                "Delete the one that the worker does not use: kite-relay rotate --drop KEY_ID"
            )
        with aws_errors("making the key"):
            made = self._iam.create_access_key(UserName=self._user)["AccessKey"]
        try:
            self._deliver(
                json.dumps({"AccessKeyId": made["AccessKeyId"], "SecretAccessKey": made["SecretAccessKey"]}) + "\n"
            )
        except BaseException:
            self.drop(made["AccessKeyId"])
            raise
        self._say(f"The worker's new key is {made['AccessKeyId']}; it stands where the worker reads it.")
        for key_id in old:
            self._retire(key_id)
        return made["AccessKeyId"]

    def drop(self, key_id: str) -> None:
        """Delete one key."""
        with aws_errors("deleting the key"):
            self._iam.delete_access_key(UserName=self._user, AccessKeyId=key_id)

    def drop_all(self) -> list[str]:
        """Delete every key, as an uninstall must: a user with keys cannot be deleted."""
        keys = self._keys()
        for key_id in keys:
            self.drop(key_id)
        return keys

    def _keys(self) -> list[str]:
        with aws_errors(f"listing the keys of {self._user}"):
            return [key["AccessKeyId"] for key in self._iam.list_access_keys(UserName=self._user)["AccessKeyMetadata"]]

    def _retire(self, key_id: str) -> None:
        self._say(f"Waiting {self._patience.picked_up:.0f} s, until the worker has read it ...")
        self._patience.sleep(self._patience.picked_up)
        self._set(key_id, "Inactive")
        try:
            self._await_the_next_beat(key_id)
        except BaseException:  # Ctrl-C too: a worker that has only the old key must not be left without one
            self._set(key_id, "Active")
            raise
        self.drop(key_id)
        self._say(f"The worker goes on without {key_id}, which is deleted.")

    def _set(self, key_id: str, status: str) -> None:
        with aws_errors(f"setting the key {key_id} to {status}"):
            self._iam.update_access_key(UserName=self._user, AccessKeyId=key_id, Status=status)  # type: ignore[arg-type]

    def _await_the_next_beat(self, old: str) -> None:
        """Wait until the worker reports once more; its instants are compared with each other, never with our clock."""
        before, waited = self._beat(), 0.0
        while waited < self._patience.alive:
            if self._beat() != before:
                return
            self._patience.sleep(1.0)
            waited += 1.0
        raise StoreUnavailableError(
            f"the worker did not report without the old key {old}, which works again. Is the new key where the "
            "worker reads it? Look at the worker's log, then delete one: kite-relay rotate --drop KEY_ID"
        )

    def _beat(self) -> datetime | None:
        heartbeat = Heartbeat.from_item(self._board.get([Heartbeat.KEY]).get(Heartbeat.KEY))
        return heartbeat.heartbeat_at if heartbeat else None


def to_file(path: Path) -> Deliver:
    """Deliver to a file of this machine, replaced in one step and readable by its owner alone."""
    return lambda text: replace(path, text.encode())


def to_host(host: str, path: str = KEY_FILE) -> Deliver:
    """Deliver by ssh, on its standard input: a secret on a command line can be seen by all."""

    def deliver(text: str) -> None:
        install = f"install -m 0640 -o root -g {WORKER_GROUP} /dev/stdin {path}.new && mv -f {path}.new {path}"
        done = subprocess.run(["ssh", host, install], input=text, text=True, check=False)
        if done.returncode:
            raise ConfigurationError(f"ssh {host} ended with {done.returncode}; the new key is deleted again")

    return deliver


@app.command()
def rotate(
    *,
    to: Annotated[str, typer.Option(help="Where the worker reads its key: root@203.0.113.7, or a file.")] = "",
    stack: Annotated[str, typer.Option(help="Its stack; without it STACK_NAME, or samconfig.toml's.")] = "",
    drop: Annotated[str, typer.Option(help="Only delete this key.")] = "",
    drop_all: Annotated[bool, typer.Option("--drop-all", help="Only delete every key, before an uninstall.")] = False,
) -> None:
    """Give the worker an AWS key. If it has one already, replace it without a gap, which takes six minutes."""
    found = stack_variables(stack or stack_name(os.environ))
    board = DynamoBoard(make_client("dynamodb"), found["BOARD_TABLE"], SystemClock())
    deliver = to_host(to) if "@" in to else to_file(Path(to))
    rotation = Rotation(make_client("iam"), found["WORKER_USER"], board, deliver, typer.echo, Patience())
    if drop:
        rotation.drop(drop)
        typer.echo(f"{drop} is deleted.")
    elif drop_all:
        typer.echo(f"Deleted: {', '.join(rotation.drop_all()) or 'there was none'}.")
    elif to:
        rotation.run()
    else:
        raise ConfigurationError("say where the worker reads its key: --to root@ADDRESS, or --to FILE")
