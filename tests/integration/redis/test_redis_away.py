"""A Redis that is not there: the feed does not wait for it, and the status reads that it is away."""

from pathlib import Path

import pytest

from tests.fakes.worker_on_aws import WORKER, set_stage
from tests.fakes.worker_process import free_port


@pytest.mark.xdist_group("redis")
async def test_a_worker_without_its_redis_feeds_and_says_so(tmp_path: Path) -> None:
    """Both words that the status goes by are in the heartbeat: how Redis is, and the finding with since when."""
    async with set_stage(tmp_path) as stage:
        generation = stage.cloud.login(stage.sim.mint()["access_token"])
        url = f"redis://127.0.0.1:{free_port()}"
        worker = await stage.start(*WORKER, REDIS_URL=url, HEARTBEAT_SECONDS="1")
        await worker.until(step="first_packet", generation=generation)
        beat = await stage.until_told(lambda beat: beat["redis"] == "unreachable")
        assert [each["code"] for each in beat["findings"]] == ["redis_unreachable"]
        assert beat["findings"][0]["since"]
        assert beat["connected"]
