"""What the tests of the simulator share."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tools.simulator import Simulator


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    """A simulator whose market stands still between steps."""
    async with Simulator(updates=0, frames=100, heartbeat=0.02) as simulator:
        yield simulator


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session
