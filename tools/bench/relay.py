"""Measure the relay against the least that C can do and against what the field does: `make bench NAME=relay`.

Relays run on one core, the feed and the clients on the other; every figure is the median of some rounds, in which the
relays take turns. Ratios compare runs of the same turn. The floor and the load are C programs: without gcc only the
idle clients can be measured, and the last line says so. That line is JSON and always has every key.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from tools.bench import relay_redis
from tools.bench.relay_run import Bench, Load, Result, take_precedence

MAIN = Load(clients=200, seconds=2.0)
KINDS = ("c", "ours", "broadcast", "transport", "picows", "json-once", "json-turn", "json")

console = Console(width=140)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. `counts`: clients besides those of `load`; `neighbours`: seconds beside slow clients."""

    rounds: int = 5
    load: Load = MAIN
    counts: tuple[int, ...] = (1, 50, 500, 1000)
    brief: float = 1.0
    neighbours: float = 5.5
    idle_clients: int = 1000
    idle_seconds: float = 3.0
    blip_seconds: float = 2.0


SMOKE = Plan(
    rounds=1,
    load=Load(clients=20, settle=0.2, seconds=0.3),
    counts=(1,),
    brief=0.3,
    neighbours=0.5,
    idle_clients=50,
    idle_seconds=0.1,
    blip_seconds=0.2,
)
"""Seconds in place of minutes: shows that every part runs, and measures nothing."""


def turns(bench: Bench, plan: Plan, runs: dict[str, tuple[str, Load]]) -> dict[str, list[Result]]:
    """Let runs (name: relay and load) take turns."""
    found: dict[str, list[Result]] = {name: [] for name in runs}
    for _ in range(plan.rounds):
        for name, (kind, load) in runs.items():
            found[name].append(bench.run(kind, load))
    return found


def side_by_side(bench: Bench, plan: Plan, load: Load, kinds: Sequence[str] = ("c", "ours")) -> dict[str, list[Result]]:
    """Let relays take turns under the same load."""
    return turns(bench, plan, {kind: (kind, load) for kind in kinds})


def ratio(found: dict[str, list[Result]], over: str, under: str, figure: str) -> float:
    """Give the median of the ratios of each turn."""
    pairs = zip(found[over], found[under], strict=True)
    return round(float(median(getattr(a, figure) / max(getattr(b, figure), 1e-9) for a, b in pairs)), 3)


def show(title: str, found: dict[str, list[Result]]) -> None:
    """Print one table."""
    table = Table(title=title)
    for name in ("relay", "CPU s / M ticks", "p50 ms", "p99 ms", "thousand ticks/s", "lost", "dropped clients"):
        table.add_column(name, justify="left" if name == "relay" else "right")
    for name, results in found.items():
        figures = [
            f"{median(getattr(r, n) for r in results):.{d}f}"
            for n, d in (("cpu", 2), ("p50", 2), ("p99", 2), ("rate", 1))
        ]
        table.add_row(name, *figures, str(sum(r.lost for r in results)), str(sum(r.gone for r in results)))
    console.print(table)


def measure_ways(bench: Bench, plan: Plan) -> dict[str, Any]:
    """Compare all ways to relay."""
    found = side_by_side(bench, plan, plan.load, KINDS)
    show(f"{plan.load.clients} clients x 50 of 500 full-mode instruments, 1 tick/s each", found)
    return {
        "cpu_ratio_to_c": ratio(found, "ours", "c", "cpu"),
        "cpu_ratio_json_to_ours": ratio(found, "json", "ours", "cpu"),
        "cpu_ratio_json_turn_to_ours": ratio(found, "json-turn", "ours", "cpu"),
        "p50_ratio_to_c": ratio(found, "ours", "c", "p50"),
        "p99_ratio_to_c": ratio(found, "ours", "c", "p99"),
    }


def measure_counts(bench: Bench, plan: Plan) -> dict[str, Any]:
    """Compare with C for few and for many clients, and for a busy market."""
    lost = gone = 0
    busy = replace(plan.load, instruments=3000, packets=900, seconds=plan.brief)
    loads = [replace(plan.load, clients=count, seconds=plan.brief) for count in plan.counts]
    for load in (*loads, busy):
        found = side_by_side(bench, plan, load)
        lost += sum(result.lost for result in found["ours"])
        gone += sum(result.gone for result in found["ours"])
        show(f"{load.clients} clients, {load.packets * load.rate:.0f} ticks/s of {load.instruments} instruments", found)
    return {"lost": lost, "dropped_clients": gone}


def measure_capacity(bench: Bench, plan: Plan) -> dict[str, Any]:
    """Compare what a core carries: ticks per second of the relay's CPU, so nothing but the relay bounds it."""
    figures = {}
    for key, in_flight in (("capacity_ratio_to_c", 4), ("capacity_frame_by_frame_ratio_to_c", 1)):
        found = side_by_side(bench, plan, replace(plan.load, in_flight=in_flight, seconds=plan.brief))
        show(f"saturated, {plan.load.clients} clients, frames on their way: {in_flight}", found)
        figures[key] = ratio(found, "c", "ours", "cpu")
    return figures


def measure_neighbours(bench: Bench, plan: Plan) -> dict[str, Any]:
    """Compare the latency beside slow clients with that of the same clients alone, over all rounds together.

    A run of seconds has some fifty frames, and its p99 is that of the slowest of them: the machine decides which. So
    there are four times as many rounds, and the p99 is that of a thousand frames.
    """
    calm = replace(plan.load, clients=plan.load.clients - 2, seconds=plan.neighbours)
    runs = {"alone": ("ours", calm), "beside": ("ours", replace(calm, stalled=1, slow=1))}
    found = turns(bench, replace(plan, rounds=4 * plan.rounds), runs)
    show(f"{calm.clients} clients, alone and beside one that stalls and one that reads 1 kB/s", found)
    beside, alone = (pooled_ms(found[name], 0.99) for name in ("beside", "alone"))
    console.print(f"p99 of all rounds together: alone {alone:.2f} ms, beside {beside:.2f} ms")
    return {"slow_neighbour_p99_ratio": round(beside / max(alone, 1e-9), 3)}


def pooled_ms(results: Sequence[Result], share: float) -> float:
    """Give the latency within which this share of all ticks of all rounds came."""
    delays = sum((Counter(result.delays) for result in results), Counter[int]())
    left, delay = delays.total() * share, 0
    for delay in sorted(delays):
        left -= delays[delay]
        if left <= 0:
            break
    return delay / 1000


def measure_idle(bench: Bench, plan: Plan) -> dict[str, Any]:
    """Measure the memory of a client that only listens to heartbeats."""
    return {"idle_client_kb": round(bench.idle_client_kb(plan.idle_clients, plan.idle_seconds), 1)}


def measure_redis(bench: Bench, plan: Plan) -> dict[str, Any]:
    """Measure the relay beyond one process."""
    calm = replace(plan.load, spin=False)  # Redis and the feed share the load's core
    brisk = replace(calm, rate=200.0, seconds=plan.brief)
    return relay_redis.measure(bench, plan.rounds, brisk, calm, plan.blip_seconds)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the benchmark and the figures that it gives."""

    run: Callable[[Bench, Plan], dict[str, Any]]
    keys: tuple[str, ...]
    compiled: bool = True


PARTS = {
    "ways": Part(
        measure_ways,
        (
            "cpu_ratio_to_c",
            "cpu_ratio_json_to_ours",
            "cpu_ratio_json_turn_to_ours",
            "p50_ratio_to_c",
            "p99_ratio_to_c",
        ),
    ),
    "capacity": Part(measure_capacity, ("capacity_ratio_to_c", "capacity_frame_by_frame_ratio_to_c")),
    "neighbours": Part(measure_neighbours, ("slow_neighbour_p99_ratio",)),
    "redis": Part(
        measure_redis,
        ("scale_out_ratio", "scale_out_ratio_sharing_one_load", "lost_in_blip", "blip_dropped_clients"),
    ),
    "counts": Part(measure_counts, ("lost", "dropped_clients")),
    "idle": Part(measure_idle, ("idle_client_kb",), compiled=False),
}


def measure(bench: Bench, plan: Plan, chosen: Sequence[str]) -> dict[str, Any]:
    """Run the chosen parts; gives every key, and by part why its keys are null."""
    figures: dict[str, Any] = {key: None for part in PARTS.values() for key in part.keys}
    missing = {}
    for name, part in PARTS.items():
        if name not in chosen:
            missing[name] = "not asked for"
        elif part.compiled and not bench.compiled:
            missing[name] = "needs gcc, for the C programs that it compares with (Debian: apt-get install gcc)"
        else:
            began = time.monotonic()
            try:
                figures |= part.run(bench, plan)
            except (RuntimeError, OSError) as error:
                missing[name] = f"failed: {error}"
            console.print(f"{name}: {missing.get(name, f'{time.monotonic() - began:.0f} s')}")
    return {"bench": "relay", **figures, "not_run": missing}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; the last line is JSON. Fails if a part that was asked for could not run."""
    parser = argparse.ArgumentParser(prog="make bench NAME=relay", description=__doc__)
    parser.add_argument("--part", action="append", choices=PARTS, help="only this one; may be given again")
    parser.add_argument("--rounds", type=int, help="of everything that a median is taken of (5)")
    parser.add_argument("--smoke", action="store_true", help="seconds in place of minutes: shows that all runs")
    options = parser.parse_args(arguments)
    plan, chosen = SMOKE if options.smoke else Plan(), options.part or list(PARTS)
    plan = replace(plan, rounds=options.rounds or plan.rounds)
    if not options.smoke and not take_precedence():
        console.print("Other programs may take the cores meanwhile: only root may take precedence.")
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Bench(Path(folder)), plan, chosen)
    print(json.dumps(figures))
    return 2 if any(name in chosen for name in figures["not_run"]) else 0


if __name__ == "__main__":
    sys.exit(main())
