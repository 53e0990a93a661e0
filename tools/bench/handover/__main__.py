"""`make bench NAME=handover`: the tables, and one line of JSON."""

import argparse
import asyncio
import json
import statistics
from collections.abc import Iterable
from typing import Any

from tools.bench.handover import ingest, swaps
from tools.bench.handover.leaks import HANDOVERS, leaks
from tools.bench.handover.swaps import DELAYS, LOADS, WAYS, Sample

HEADLINE = (LOADS[0].name, 200)
"""Load and network of the figures that stand alone in the JSON line: the ones that tell the ways apart."""

Cells = dict[tuple[str, int], dict[str, list[Sample]]]


async def run_swaps(rounds: int) -> Cells:
    """Change the token in every way, load and network; the ways take turns."""
    cells: Cells = {}
    for load in LOADS:
        async with swaps.bench(load) as programs:
            for delay in DELAYS:
                cell = cells[load.name, delay] = {way: [] for way in WAYS}
                for _ in range(rounds):
                    for way in WAYS:
                        cell[way].append(await programs.sample(way, delay))
    return cells


def median(values: Iterable[float]) -> float:
    """Give the median."""
    return statistics.median(values)


def show_swaps(cells: Cells) -> None:
    """Print what every change of the token cost: medians, and the worst for losses."""
    print("\nNew token known -> first tick on it (medians; lost: median / worst, in ticks)")
    print(f"{'load':<13}{'network':>8}  {'way':<16}{'ms':>8}{'silence ms':>12}{'lost':>14}{'twice':>7}{'cut off':>9}")
    for (load, delay), cell in cells.items():
        for way, samples in cell.items():
            lost = [sample.lost for sample in samples]
            print(
                f"{load:<13}{delay:>5} ms  {way:<16}{median(s.seconds for s in samples) * 1000:>8.1f}"
                f"{median(s.pause for s in samples) * 1000:>12.0f}{f'{median(lost):.0f} / {max(lost)}':>14}"
                f"{median(s.duplicates for s in samples):>7.0f}{median(s.disconnects for s in samples):>9.0f}"
            )


def show_ingest(found: dict[str, dict[str, float]]) -> None:
    """Print what a packet costs."""
    print("\nCPU seconds per million packets, socket to bus (medians; in brackets: against autobahn alone)")
    print(f"{'frames':<18}" + "".join(f"{reader:>18}" for reader in ingest.READERS))
    for shape, costs in found.items():
        row = (f"{cost:.2f} ({cost / costs['autobahn']:.2f}x)" for cost in costs.values())
        print(f"{shape:<18}" + "".join(f"{text:>18}" for text in row))


def summary(cells: Cells, costs: dict[str, dict[str, float]], grown: dict[str, float]) -> dict[str, Any]:
    """Put the figures together for the JSON line."""
    headline = cells[HEADLINE]
    ours = [sample for cell in cells.values() for sample in cell["ours"]]
    ratios = {
        f"{load}, {delay} ms": round(
            median(s.seconds for s in c["ours"]) / median(s.seconds for s in c["bare_dial"]), 3
        )
        for (load, delay), c in cells.items()
    }
    ingested = {shape: round(cost["ours"] / cost["autobahn"], 3) for shape, cost in costs.items()}
    others = {
        f"{way}.lost": median(s.lost for s in headline[way]) for way in ("close_then_open", "own_retry", "restart")
    }
    return {
        "ours.lost": sum(sample.lost for sample in ours),
        "ours.duplicates": sum(sample.duplicates for sample in ours),
        "ours.disconnects": sum(sample.disconnects for sample in ours),
        **others,
        "ours_dies.lost": median(s.lost for s in headline["ours_dies"]),
        "ours_dies.disconnects": sum(s.disconnects for cell in cells.values() for s in cell["ours_dies"]),
        "ratio_to_bare_dial": max(ratios.values()),
        "ratios_to_bare_dial": ratios,
        "ingest_ratio": max(ingested.values()),
        "ingest_ratios": ingested,
        **grown,
    }


async def main() -> None:
    """Run all, or the parts that were named."""
    parser = argparse.ArgumentParser(prog="make bench NAME=handover", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of everything that a median is taken of")
    parser.add_argument("--handovers", type=int, default=HANDOVERS, help="in a row, for the leaks")
    options = parser.parse_args()
    grown = await leaks(options.handovers)
    print(f"{options.handovers} handovers in a row: {json.dumps(grown)}")
    costs: dict[str, dict[str, float]] = {}
    for shape in ingest.SHAPES:
        found = await ingest.measure(shape, options.rounds)
        costs[shape.name] = {reader: median(values) for reader, values in found.items()}
    show_ingest(costs)
    cells = await run_swaps(options.rounds)
    show_swaps(cells)
    print(json.dumps(summary(cells, costs, grown)))


if __name__ == "__main__":
    asyncio.run(main())
