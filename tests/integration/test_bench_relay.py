"""The relay's benchmark in seconds: every part runs and gives its figures, and what cannot run is said."""

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.xdist_group("relay_bench"), pytest.mark.timeout(600)]

REQUIRED = {
    "cpu_ratio_to_c",
    "cpu_ratio_json_to_ours",
    "p99_ratio_to_c",
    "capacity_ratio_to_c",
    "idle_client_kb",
    "slow_neighbour_p99_ratio",
    "scale_out_ratio",
    "lost_in_blip",
}


async def smoke(*arguments: str, path: str = os.environ["PATH"]) -> tuple[int | None, dict[str, Any]]:
    """Run the benchmark's short form; gives its exit status and its last line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tools.bench.relay", "--smoke", *arguments),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PATH": path},
    )
    out, _ = await process.communicate()
    return process.returncode, json.loads(out.splitlines()[-1])


@pytest.mark.skipif(not shutil.which("gcc"), reason="compares with C programs: needs gcc")
async def test_every_part_gives_its_figures() -> None:
    """No key is missing, none is empty, and nothing is lost."""
    status, line = await smoke()
    assert (status, line["not_run"]) == (0, {})
    assert line.keys() >= REQUIRED
    assert all(isinstance(line[key], int | float) for key in line.keys() - {"bench", "not_run"})
    assert (line["lost"], line["lost_in_blip"], line["dropped_clients"]) == (0, 0, 0)


async def test_a_machine_without_a_compiler_is_told_so(tmp_path: Path) -> None:
    """Every key is there all the same, and why most are null."""
    (tmp_path / "taskset").symlink_to(shutil.which("taskset") or "")
    status, line = await smoke("--part", "idle", "--part", "ways", path=str(tmp_path))
    assert status == 2
    assert "gcc" in line["not_run"]["ways"]
    assert line["not_run"]["redis"] == "not asked for"
    assert line.keys() >= REQUIRED
    assert {key for key in REQUIRED if line[key] is not None} == {"idle_client_kb"}
