"""Runs one relay under one load, each on a core of its own, and reads what it cost."""

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

SOURCES = Path(__file__).parent / "relay_c"
KEY = "bench"
FILES = 8192
NICENESS = -10
PATIENCE = 60.0
"""Seconds that a load may take longer than it should before it is ended."""
RELAY_CORE, LOAD_CORE = 0, (os.cpu_count() or 1) - 1


@dataclass(frozen=True, slots=True)
class Load:
    """What the clients ask for; see relay_c/load.c."""

    clients: int
    instruments: int = 500
    per_client: int = 50
    packets: int = 50
    rate: float = 10.0
    settle: float = 1.1
    seconds: float = 1.5
    in_flight: int = 0
    stalled: int = 0
    slow: int = 0
    spin: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it. `cpu`: seconds per million delivered ticks; `rate`: thousand ticks per second.

    `delays`: how many ticks took so many microseconds (in tens).
    """

    cpu: float
    p50: float
    p99: float
    rate: float
    lost: int
    gone: int
    delays: dict[int, int]


def free_port() -> int:
    """Find a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_seconds(pid: int) -> float:
    """Read the time that a process has spent on a core, to the nanosecond."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def wait_ready(process: subprocess.Popen[str]) -> None:
    """Wait for a relay's READY."""
    out: IO[str] | None = process.stdout
    if out is None or out.readline() != "READY\n":
        raise RuntimeError(f"{process.args!r} did not start")


def take_precedence() -> bool:
    """Let no other program of this machine disturb; tells whether that is allowed."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    except PermissionError:
        return False
    return True


class Bench:
    """Holds the compiled programs, if there is a compiler.

    Args:
        folder: where they are put.
    """

    def __init__(self, folder: Path) -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hard), hard))
        self.folder = folder
        self.each: list[float] = []
        """What each relay of the last run cost, as `Result.cpu`."""
        self.compiled = shutil.which("gcc") is not None
        for name in ("floor", "load") if self.compiled else ():
            subprocess.run(["gcc", "-O2", "-o", str(folder / name), str(SOURCES / f"{name}.c")], check=True)

    def command(self, kind: str, port: int, feed_port: int) -> list[str]:
        """Give the command line of a relay."""
        ports = [str(port), str(feed_port)]
        if kind == "c":
            return [str(self.folder / "floor"), *ports]
        if kind == "ours":
            return [sys.executable, "-m", "tools.devstack.relay_alone", *ports, KEY, "0"]
        return [sys.executable, "-m", "tools.bench.relay_peers", kind, *ports]

    @contextmanager
    def started(self, command: list[str], core: int) -> Iterator[subprocess.Popen[str]]:
        """Start a program on a core; ends it at the end."""
        pinned = ["taskset", "-c", str(core), *command]
        process = subprocess.Popen(pinned, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            wait_ready(process)
            yield process
        finally:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()

    def run(self, kind: str, load: Load) -> Result:
        """Run one relay under a load."""
        port, feed_port = free_port(), free_port()
        with self.started(self.command(kind, port, feed_port), RELAY_CORE) as relay:
            return self.drive(load, [port], feed_port, [relay.pid], json_way=kind.startswith("json"))

    def drive(
        self,
        load: Load,
        ports: list[int],
        feed_port: int,
        pids: list[int],
        *,
        json_way: bool = False,
        on_begin: Callable[[], None] = lambda: None,
    ) -> Result:
        """Put a load on relays that run, and read what they spent meanwhile."""
        numbers = (load.clients, load.instruments, load.per_client, load.packets, load.rate, load.settle, load.seconds)
        rest = (load.in_flight, load.stalled, load.slow, int(json_way), int(load.spin))
        where = [str(feed_port), ",".join(map(str, ports)), KEY]
        command = [str(self.folder / "load"), *where, *map(str, numbers), *map(str, rest)]
        pinned = ["taskset", "-c", str(LOAD_CORE), *command]
        with subprocess.Popen(pinned, stdout=subprocess.PIPE, text=True) as driver:
            watchdog = threading.Timer(load.seconds + PATIENCE, driver.kill)
            watchdog.start()
            marks: dict[str, list[float]] = {}
            line = ""
            for line in driver.stdout or ():
                if line in ("BEGIN\n", "END\n"):
                    marks[line] = [cpu_seconds(pid) for pid in pids]
                if line == "BEGIN\n":
                    on_begin()
            watchdog.cancel()
        if driver.returncode:
            raise RuntimeError(f"the load ended early ({driver.returncode})")
        figures = json.loads(line)
        delivered = max(figures["delivered"], 1)
        spent = zip(marks["BEGIN\n"], marks["END\n"], strict=True)
        self.each = [(end - begin) / delivered * 1e6 for begin, end in spent]
        return Result(
            cpu=sum(self.each),
            p50=figures["p50_ms"],
            p99=figures["p99_ms"],
            rate=delivered / load.seconds / 1000,
            lost=figures["lost"],
            gone=figures["gone"],
            delays={int(delay): count for delay, count in figures["delays"].items()},
        )

    def idle_client_kb(self, clients: int, seconds: float) -> float:
        """Measure the memory that a connected client without subscriptions takes."""
        port, feed_port = free_port(), free_port()
        with self.started(self.command("ours", port, feed_port), RELAY_CORE) as relay:
            process = psutil.Process(relay.pid)
            before = process.memory_info().rss
            sockets = [_enter(port) for _ in range(clients)]
            time.sleep(seconds)  # some heartbeats: what a client costs while it is idle, not while it arrives
            after = process.memory_info().rss
            for each in sockets:
                each.close()
        return (after - before) / clients / 1000


def _enter(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port))
    lines = (
        f"GET /?api_key=idle&access_token={KEY} HTTP/1.1",
        "Host: x",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version: 13\r\n\r\n",
    )
    client.sendall("\r\n".join(lines).encode())
    if not client.recv(4096).startswith(b"HTTP/1.1 101 "):
        raise RuntimeError("an idle client was refused")
    return client
