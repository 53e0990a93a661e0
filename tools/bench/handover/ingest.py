"""What a packet costs from the socket to the bus: ours, the official client, and the transport alone."""

import asyncio
from dataclasses import dataclass

from tools.bench.handover.processes import Kite, Program, kite
from tools.bench.handover.swaps import instruments
from tools.simulator.server import API_KEY

READERS = ("ours", "on_ticks", "on_message", "autobahn")
CALM = 11.0
"""Seconds before a measurement of ours, else 1: for 10 after a new socket the feed still compares what it brings."""
WINDOW = 2.5
"""Seconds of one measurement."""
MILLION = 1e6


@dataclass(frozen=True, slots=True)
class Shape:
    """How the packets come.

    Args:
        name: in the table.
        instruments: how many.
        updates: of each, per second.
        frames: messages per second.
    """

    name: str
    instruments: int
    updates: float
    frames: float


SHAPES = (
    Shape("1 packet/frame", 10, 100, 1000),
    Shape("10 packets/frame", 100, 50, 500),
    Shape("60 packets/frame", 3000, 4, 200),
)


async def measure(shape: Shape, rounds: int, calm: float = CALM, window: float = WINDOW) -> dict[str, list[float]]:
    """Give CPU seconds per million packets of each reader, one per round; the readers take turns."""
    found: dict[str, list[float]] = {reader: [] for reader in READERS}
    async with kite(shape.updates, shape.frames) as simulated:
        for _ in range(rounds):
            for reader in READERS:
                found[reader].append(await _once(simulated, shape, reader, calm if reader == "ours" else 1.0, window))
    return found


async def _once(simulated: Kite, shape: Shape, reader: str, calm: float, window: float) -> float:
    task = {
        "role": "reader",
        "reader": reader,
        "api_key": API_KEY,
        "ticker_root": simulated.ticker_root,
        "token": await simulated.mint(),
        "instruments": instruments(shape.instruments),
    }
    async with Program(task) as program:
        await simulated.subscribed(shape.instruments)
        await asyncio.sleep(calm)
        before = (await program.do("cpu"))["seconds"], await simulated.packets()
        await asyncio.sleep(window)
        after = (await program.do("cpu"))["seconds"], await simulated.packets()
    await simulated.alone()
    return float((after[0] - before[0]) / (after[1] - before[1]) * MILLION)
