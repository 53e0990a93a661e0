"""Our decoder against the official Python client's, on valid frames."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.promise(15)
@pytest.mark.timeout(600)
def test_our_decoder_agrees_with_the_official_one(
    measured: Callable[[str, object], None], at_scale: Callable[[int, int], int]
) -> None:
    """No difference but the documented one: our times are aware."""
    frames = at_scale(20_000, 100_000)
    script = Path(__file__).with_name("official_parser.py")
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, str(script), str(frames), "7"],
        env={**os.environ, "TZ": "Asia/Kolkata"},
        capture_output=True,
        text=True,
        check=False,
    )
    measured("compared with the official parser", done.stdout.strip())
    assert done.stdout == f"{frames} frames, 0 differences\n", done.stderr
