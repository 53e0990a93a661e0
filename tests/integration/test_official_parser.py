"""Our decoder against the official Python client's, on valid frames."""

import os
import subprocess
import sys
from pathlib import Path

FRAMES = 20_000


def test_our_decoder_agrees_with_the_official_one() -> None:
    """No difference but the documented one: our times are aware."""
    script = Path(__file__).with_name("official_parser.py")
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, str(script), str(FRAMES), "7"],
        env={**os.environ, "TZ": "Asia/Kolkata"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"{FRAMES} frames, 0 differences\n", done.stderr
