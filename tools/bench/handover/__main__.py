"""`make bench NAME=handover`: the tables, and one line of JSON."""

import argparse
import asyncio
import json
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from tools.bench.handover import ingest, swaps
from tools.bench.handover.leaks import HANDOVERS, leaks
from tools.bench.handover.swaps import DELAYS, LOADS, WAYS, Load, Sample
from tools.bench.handover.whole_way import show_whole_way, whole_way

HEADLINE = (LOADS[0].name, 200)
"""Load and network of the figures that stand alone in the JSON line: the ones that tell the ways apart."""

Cells = dict[tuple[str, int], dict[str, list[Sample]]]


async def run_swaps(rounds: int, loads: Sequence[Load], delays: Sequence[int]) -> Cells:
    """Change the token in every way, load and network; the ways take turns."""
    cells: Cells = {}
    for load in loads:
        async with swaps.bench(load) as programs:
            for delay in delays:
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
    """Run all; or in brief, to see that it runs."""
    parser = argparse.ArgumentParser(prog="make bench NAME=handover", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of everything that a median is taken of")
    parser.add_argument("--handovers", type=int, default=HANDOVERS, help="in a row, for the leaks")
    parser.add_argument("--brief", action="store_true", help="one of everything, in seconds: its figures mean nothing")
    options = parser.parse_args()
    print(json.dumps(await (brief() if options.brief else full(options.rounds, options.handovers))))


async def brief() -> dict[str, Any]:
    """Run one of everything that needs no AWS."""
    grown = await leaks(2, warm_up=1, rest=0.5)
    costs = await run_ingest(1, ingest.SHAPES[:1], calm=1.0, window=0.5)
    load, delay = HEADLINE
    cells = await run_swaps(1, [each for each in LOADS if each.name == load], [delay])
    return summary(cells, costs, grown)


async def full(rounds: int, handovers: int) -> dict[str, Any]:
    """Run everything."""
    grown = await leaks(handovers)
    print(f"{handovers} handovers in a row: {json.dumps(grown)}")
    costs = await run_ingest(rounds, ingest.SHAPES, ingest.CALM, ingest.WINDOW)
    show_ingest(costs)
    cells = await run_swaps(rounds, LOADS, DELAYS)
    show_swaps(cells)
    bare_ms = median(sample.seconds for sample in cells[LOADS[0].name, 0]["bare_dial"]) * 1000
    ways = await whole_way(bare_ms)
    show_whole_way(ways)
    return summary(cells, costs, grown) | {"whole_way": ways[-1]}


async def run_ingest(
    rounds: int, shapes: Iterable[ingest.Shape], calm: float, window: float
) -> dict[str, dict[str, float]]:
    """Measure what a packet costs, by the shape of the frames and by the reader."""
    costs: dict[str, dict[str, float]] = {}
    for shape in shapes:
        found = await ingest.measure(shape, rounds, calm, window)
        costs[shape.name] = {reader: median(values) for reader, values in found.items()}
    return costs


if __name__ == "__main__":
    asyncio.run(main())
