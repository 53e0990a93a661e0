"""The page's scripts: their own tests on Node, and their decoder held to Python's on the same frames."""

import json
import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kite_relay.domain.errors import MalformedError
from kite_relay.domain.ticks import Tick, decode, decode_packet, join, mode_of, split

ROOT = Path(__file__).parents[2]
SEGMENTS = (1, 2, 3, 4, 5, 6, 7, 9, 12)
LENGTHS = (8, 28, 32, 44, 184)


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay the page's modules and their tests out as Node wants them."""
    if not shutil.which("node"):
        sentence = "the page's scripts are tested on Node: install it (Debian: apt-get install nodejs)"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(sentence)
    folder = tmp_path_factory.mktemp("scripts")
    shutil.copytree(ROOT / "functions/web/static", folder / "static")
    for script in (ROOT / "tests/web").glob("*.js"):
        shutil.copy(script, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


def node(folder: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run Node there."""
    command = ["node", *arguments]
    return subprocess.run(command, cwd=folder, input=text, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - our own scripts


def test_the_scripts_own_tests_pass(scripts: Path) -> None:
    """Formatting and the feed's reconnecting, on Node's test runner."""
    done = node(scripts, "--test", *sorted(path.name for path in scripts.glob("*.test.js")))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# fail 0" in done.stdout


def frames() -> list[bytes]:
    """Make frames of every length and segment, of unknown lengths, and damaged ones; the same at each run."""
    dice = random.Random(20261124)  # noqa: S311 - a repeatable test, no secret
    packets = [
        (dice.randrange(1, 2**23) << 8 | segment).to_bytes(4, "big") + dice.randbytes(length - 4)
        for segment in SEGMENTS
        for length in (*LENGTHS, 12, 40, 200)
        for _ in range(4)
    ]
    whole = [join(dice.choices(packets, k=dice.randrange(1, 12))) for _ in range(300)]
    cut = [frame[: dice.randrange(len(frame))] for frame in whole[:100]]
    noise = [dice.randbytes(dice.randrange(0, 300)) for _ in range(200)]
    return [b"", b"\x00", *whole, *cut, *noise, *(frame + b"\x00" for frame in whole[:20])]


def expected(frame: bytes) -> list[Tick] | None:
    """Read a frame with Python's decoder; packets of unknown lengths are left out."""
    try:
        return [decode_packet(packet) for _, packet in split(frame) if mode_of(packet)]
    except MalformedError:
        return None


def agrees(ours: Tick, theirs: dict[str, Any]) -> bool:
    """Compare a tick of Python's with one of the page's, number for number."""
    opened, high, low, close = ours.ohlc or (None,) * 4
    stamp = int(ours.exchange_timestamp.timestamp() * 1000) if ours.exchange_timestamp else 0
    return (
        theirs["token"] == ours.instrument_token
        and theirs["price"] == ours.last_price
        and [theirs[name] for name in ("open", "high", "low", "close")] == [opened, high, low, close]
        and theirs["volume"] == ours.volume_traded
        and (theirs["at"] or 0) == stamp
        and (theirs["change"] or 0.0) == pytest.approx(ours.change or 0.0)
    )


def test_the_pages_decoder_agrees_with_pythons(scripts: Path) -> None:
    """One truth about Kite's bytes: both readers make the same of every frame, valid or not."""
    fixtures = frames()
    done = node(scripts, "ticks.js", text="".join(frame.hex() + "\n" for frame in fixtures))
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(fixtures)
    read = 0
    for frame, theirs in zip(fixtures, answers, strict=True):
        ours = expected(frame)
        assert (ours is None) == (theirs is None), frame.hex()
        assert len(ours or []) == len(theirs or []), frame.hex()
        assert all(agrees(a, b) for a, b in zip(ours or [], theirs or [], strict=True)), frame.hex()
        read += len(ours or [])
    assert read > 1000


def test_a_whole_frame_means_the_same_to_both(scripts: Path) -> None:
    """Where every length is documented, `decode` itself is the yardstick."""
    frame = join([bytes([0, 0, 1, 9]) + bytes(28), bytes([0, 1, 0, 1]) + bytes([7] * 180)])
    (answer,) = [json.loads(line) for line in node(scripts, "ticks.js", text=frame.hex() + "\n").stdout.splitlines()]
    assert all(agrees(a, b) for a, b in zip(decode(frame), answer, strict=True))
