"""Many handovers in a row in one worker: what grows, and what a listener at the relay notices."""

import asyncio

from tools.bench.handover.swaps import Load, bench

HANDOVERS = 200
WARM_UP = 600
"""Handovers before the first measurement: until about here memory grows, by 4 MB, while allocators and caches fill."""
REST = 11.0
"""Seconds before each measurement: for 10 a feed remembers what it passed on while two sockets overlapped."""
LOAD = Load("leaks", 50, 20, 0.5)


async def leaks(handovers: int, warm_up: int = WARM_UP, rest: float = REST) -> dict[str, float]:
    """Hand over so often; gives what was lost and what has grown."""
    async with bench(LOAD) as programs:
        for _ in range(warm_up):
            await programs.worker.do("swap", token=await programs.kite.mint())
        await asyncio.sleep(rest)
        await programs.listener.do("count")
        await asyncio.sleep(LOAD.settle)
        before = await programs.worker.do("footprint")
        for _ in range(handovers):
            await programs.worker.do("swap", token=await programs.kite.mint())
        await asyncio.sleep(rest)
        after = await programs.worker.do("footprint")
        heard = await programs.listener.do("report")
    return {
        "handovers": handovers,
        "handovers.lost": heard["lost"],
        "handovers.duplicates": heard["duplicates"],
        "handovers.disconnects": heard["closes"],
        "rss_growth_mb": round(after["rss_mb"] - before["rss_mb"], 2),
        "fd_growth": after["fds"] - before["fds"],
        "task_growth": after["tasks"] - before["tasks"],
    }
