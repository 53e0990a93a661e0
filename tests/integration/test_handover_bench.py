"""The handover benchmark, in its shortest form."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROMISED = {
    *("ours.lost", "ours.disconnects", "close_then_open.lost", "own_retry.lost", "restart.lost"),
    *("ratio_to_bare_dial", "ingest_ratio", "handovers", "rss_growth_mb", "fd_growth", "task_growth"),
}


@pytest.mark.timeout(300)
def test_it_runs_and_tells_what_it_promises() -> None:
    """One of everything: all figures are there, and ours lost nothing where the others did."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.bench.handover", "--brief"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told.keys() >= PROMISED
    assert (told["ours.lost"], told["ours.duplicates"], told["ours.disconnects"]) == (0, 0, 0)
    assert min(told["close_then_open.lost"], told["own_retry.lost"], told["restart.lost"]) > 0
