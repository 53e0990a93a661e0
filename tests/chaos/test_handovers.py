"""Handovers of the real feed and relay, over real sockets, against the simulated Kite: 3,000 instruments."""

import asyncio
from collections.abc import Callable

import pytest

from tools.bench.handover.swaps import LATE, LOADS, Bench, bench

QUICK, LOAD = LOADS
LOGIN_TO_LIVE, GAP = 5.0, 2.0
pytestmark = [
    pytest.mark.measures,
    pytest.mark.promise(10),
    pytest.mark.xdist_group("processes"),
    pytest.mark.timeout(3600),
]


async def handed_over(programs: Bench) -> int:
    """Hand over once more; tells how many instruments stand on the one socket that is left."""
    for _ in range(2):
        await programs.worker.do("swap", token=await programs.kite.mint())
    while len(sockets := await programs.kite.sockets()) > 1:  # noqa: ASYNC110 - it is another process
        await asyncio.sleep(0.05)
    return int(sockets[0]["instruments"])


@pytest.mark.parametrize("way", ["ours", "ours_dies"])
async def test_a_handover_of_three_thousand_instruments(
    way: str, measured: Callable[[str, object], None], at_scale: Callable[[int, int], int], patience: float
) -> None:
    """Where Kite spares the old socket nothing is lost, ever; where it does not, the gap is short."""
    async with bench(LOAD) as programs:
        samples = [await programs.sample(way, 0) for _ in range(at_scale(1, 100))]
        restored = await handed_over(programs)
    spared = "old socket lives" if way == "ours" else "old socket dies"
    measured(f"handovers, {spared}", len(samples))
    measured(f"{spared}: ticks lost", sum(sample.lost for sample in samples))
    measured(f"{spared}: doubled", sum(sample.duplicates for sample in samples))
    measured(f"{spared}: clients disconnected", sum(sample.disconnects for sample in samples))
    measured(f"{spared}: longest seconds from token to first tick", round(max(sample.seconds for sample in samples), 3))
    measured(f"{spared}: longest seconds of silence", round(max(sample.pause for sample in samples), 3))
    measured(f"{spared}: instruments restored", f"{restored} of {LOAD.instruments}")
    assert restored == LOAD.instruments
    assert all(sample.duplicates == sample.disconnects == 0 for sample in samples)
    assert max(sample.seconds for sample in samples) <= LOGIN_TO_LIVE * patience
    assert max(sample.pause for sample in samples) <= GAP * patience
    if way == "ours":
        assert sum(sample.lost for sample in samples) == 0


async def test_an_old_socket_that_is_late(
    measured: Callable[[str, object], None], at_scale: Callable[[int, int], int]
) -> None:
    """Its last packets come after the new one's first: 7 ticks of one instrument, and none is skipped."""
    async with bench(QUICK) as programs:
        samples = [await programs.sample("ours_late", 0) for _ in range(at_scale(2, 50))]
    measured(f"old socket {LATE} ms late: ticks lost", sum(sample.lost for sample in samples))
    measured(f"old socket {LATE} ms late: doubled", sum(sample.duplicates for sample in samples))
    assert not any(sample.lost or sample.duplicates or sample.disconnects for sample in samples)
