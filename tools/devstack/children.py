"""The programs that a stack starts: each in a process group of its own, so that all of it ends, and nothing else."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tools.devstack.places import Home
from tools.devstack.trouble import StackError

GRACE_SECONDS = 5.0
TAIL_LINES = 15


@dataclass(slots=True)
class Child:
    """One running program and where its words go."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    @property
    def pid(self) -> int:
        """Its process id, which is its group's too."""
        return self.process.pid

    def tail(self) -> str:
        """Give the last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:])


class Children:
    """Starts, watches and ends the programs of one stack."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._running: dict[str, Child] = {}

    async def start(
        self, name: str, command: Sequence[str | Path], env: Mapping[str, str], *, dialogue: bool = False
    ) -> Child:
        """Start a program in a group of its own; its words go to `logs/<name>.log`, or in a dialogue to us."""
        log = self._home.logs / f"{name}.log"
        with log.open("wb") as sink:
            process = await asyncio.create_subprocess_exec(
                *map(str, command),
                env=dict(env),
                stdin=asyncio.subprocess.PIPE if dialogue else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if dialogue else sink,
                stderr=sink,
                start_new_session=True,
            )
        child = self._running[name] = Child(name, process, log)
        self._remember()
        return child

    async def finish(self, name: str, command: Sequence[str | Path], env: Mapping[str, str]) -> str:
        """Run a program to its end and return what it said.

        Raises:
            StackError: it failed; with its last words.
        """
        child = await self.start(name, command, env)
        status = await child.process.wait()
        del self._running[name]
        self._remember()
        if status:
            raise StackError(f"{name} failed ({status}); {child.log} has it all, its last words are:\n{child.tail()}")
        return child.log.read_text(errors="replace")

    async def first_death(self) -> Child:
        """Wait until one of the programs ends by itself."""
        waits = {asyncio.ensure_future(child.process.wait()): child for child in self._running.values()}
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            return waits[done.pop()]
        finally:
            for wait in waits:
                wait.cancel()

    def pid(self, name: str) -> int:
        """Tell the process id of a running program."""
        return self._running[name].pid

    def dead(self) -> Child | None:
        """Give a program that has ended by itself, if there is one."""
        return next((child for child in self._running.values() if child.process.returncode is not None), None)

    async def stop(self, name: str) -> int:
        """End one program and its group; returns its exit status."""
        child = self._running.pop(name)
        _signal_group(child.pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(child.process.wait(), GRACE_SECONDS)
        except TimeoutError:
            _signal_group(child.pid, signal.SIGKILL)
            await child.process.wait()
        _signal_group(child.pid, signal.SIGKILL)  # what it started and did not end itself
        self._remember()
        return child.process.returncode or 0

    async def stop_all(self) -> None:
        """End everything, the last started first."""
        for name in reversed(list(self._running)):
            await self.stop(name)
        self._home.pids.unlink(missing_ok=True)

    def _remember(self) -> None:
        rows = [{"name": child.name, "pid": child.pid, "born": _born(child.pid)} for child in self._running.values()]
        record = {"owner": os.getpid(), "owner_born": _born(os.getpid()), "children": rows}
        self._home.pids.write_text(json.dumps(record))


def end_leftovers(home: Home) -> list[str]:
    """End what a run that died left behind, known by process id and time of birth; returns the names.

    Raises:
        StackError: that run is alive.
    """
    try:
        record = json.loads(home.pids.read_text())
    except (OSError, ValueError):
        return []
    owner = record["owner"]
    if owner != os.getpid() and _born(owner) == record["owner_born"]:
        raise StackError(
            f"another one runs already (process {owner}, {home.path}): use it, or press Ctrl-C there first"
        )
    left = [row for row in record["children"] if row["born"] is not None and _born(row["pid"]) == row["born"]]
    processes = [psutil.Process(row["pid"]) for row in left]
    for process in processes:
        _signal_group(process.pid, signal.SIGTERM)
    psutil.wait_procs(processes, GRACE_SECONDS)
    for process in processes:
        _signal_group(process.pid, signal.SIGKILL)
    home.pids.unlink(missing_ok=True)
    return [row["name"] for row in left]


def _born(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)
