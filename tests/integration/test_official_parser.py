"""Our reading of packets and of the wire against the official Python client's."""

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
    done = compare("official_parser.py", frames)
    measured("compared with the official parser", done.stdout.strip())
    assert done.stdout == f"{frames} frames, 0 differences\n", done.stderr


def test_we_read_a_connection_as_autobahn_does() -> None:
    """Whatever comes, cut anywhere: the same messages, answers and end."""
    done = compare("official_reader.py", 1000)
    assert done.stdout == "1000 streams, 0 differences\n", done.stderr


def compare(program: str, count: int) -> subprocess.CompletedProcess[str]:
    """Run a program that compares, on so many random cases."""
    script = Path(__file__).with_name(program)
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, str(script), str(count), "7"],
        env={**os.environ, "TZ": "Asia/Kolkata"},
        capture_output=True,
        text=True,
        check=False,
    )
