"""Measure the relay against the least that C can do and against what the field does: `make bench NAME=relay`.

Relays run on one core, the feed and the clients on the other; every figure is the median of ROUNDS rounds, in which
the relays take turns. Ratios compare runs of the same turn. Needs gcc, for the floor and the load; nothing else does.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from tools.bench import relay_redis
from tools.bench.relay_run import Bench, Load, Result

ROUNDS = 5
KINDS = ("c", "ours", "broadcast", "transport", "picows", "json-once", "json")
COUNTS = (1, 50, 500, 1000)
MAIN = 200
IDLE_CLIENTS = 1000

console = Console(stderr=False, width=140)


def turns(bench: Bench, kinds: tuple[str, ...], load: Load, rounds: int = ROUNDS) -> dict[str, list[Result]]:
    """Let the relays take turns under the same load."""
    found: dict[str, list[Result]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind in kinds:
            found[kind].append(bench.run(kind, load))
    return found


def ratio(found: dict[str, list[Result]], over: str, under: str, figure: str) -> float:
    """Give the median of the ratios of each turn."""
    pairs = zip(found[over], found[under], strict=True)
    return round(float(median(getattr(a, figure) / max(getattr(b, figure), 1e-9) for a, b in pairs)), 3)


def show(title: str, found: dict[str, list[Result]]) -> None:
    """Print one table."""
    table = Table(title=title)
    for name in ("relay", "CPU s / M ticks", "p50 ms", "p99 ms", "thousand ticks/s", "lost", "dropped clients"):
        table.add_column(name, justify="left" if name == "relay" else "right")
    for kind, results in found.items():
        figures = [
            f"{median(getattr(r, n) for r in results):.{d}f}"
            for n, d in (("cpu", 2), ("p50", 2), ("p99", 2), ("rate", 1))
        ]
        table.add_row(kind, *figures, str(sum(r.lost for r in results)), str(sum(r.gone for r in results)))
    console.print(table)


def measure(bench: Bench) -> dict[str, Any]:
    """Run everything; returns the line of figures."""
    main = turns(bench, KINDS, Load(clients=MAIN))
    show(f"{MAIN} clients x 50 of 500 full-mode instruments, 1 tick/s each", main)
    lost = sum(result.lost for result in main["ours"])
    for count in COUNTS:
        kinds = ("c", "ours", "json") if count <= MAIN else ("c", "ours")
        some = turns(bench, kinds, Load(clients=count))
        lost += sum(result.lost for result in some["ours"])
        show(f"{count} clients", some)
    big = turns(bench, ("c", "ours"), Load(clients=MAIN, instruments=3000, packets=900))
    show(f"{MAIN} clients, 3000 instruments x 3 ticks/s", big)
    full = turns(bench, ("c", "ours"), Load(clients=MAIN, in_flight=4))
    show(f"saturated, {MAIN} clients", full)
    calm = turns(bench, ("ours",), Load(clients=MAIN - 2, seconds=6.5))
    rough = turns(bench, ("ours",), Load(clients=MAIN - 2, seconds=6.5, stalled=1, slow=1))
    show(f"{MAIN - 2} clients beside one that stalls and one that reads 1 kB/s", rough)
    neighbours = {"rough": rough["ours"], "calm": calm["ours"]}
    out = relay_redis.measure(bench, ROUNDS)
    return {
        "bench": "relay",
        "cpu_ratio_to_c": ratio(main, "ours", "c", "cpu"),
        "cpu_ratio_json_to_ours": ratio(main, "json", "ours", "cpu"),
        "p50_ratio_to_c": ratio(main, "ours", "c", "p50"),
        "p99_ratio_to_c": ratio(main, "ours", "c", "p99"),
        "capacity_ratio_to_c": ratio(full, "ours", "c", "rate"),
        "idle_client_kb": round(bench.idle_client_kb(IDLE_CLIENTS), 1),
        "slow_neighbour_p99_ratio": ratio(neighbours, "rough", "calm", "p99"),
        "lost": lost,
        **out,
    }


def main() -> int:
    """Run the benchmark; the last line is JSON."""
    if not shutil.which("gcc"):
        print(
            "The relay's benchmark compares with a C program: install gcc (Debian: apt-get install gcc).",
            file=sys.stderr,
        )
        return 2
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Bench(Path(folder)))
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
