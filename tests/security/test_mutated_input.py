"""Damaged inputs by the hundred thousand, at each parser that strangers reach: an answer or a named rejection."""

import os
import random
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz.targets import CRASHES, TARGETS

ROOT = Path(__file__).parents[2]
FUZZER = ROOT / ".envs" / "fuzz" / "bin" / "python"
SPLICES: tuple[bytes, ...] = (b"\x00", b"\xff\xff\xff\xff", b"null", b"NaN", b"1e999", b"-0", b"[" * 3000, b"9" * 5000)
SPLICES += (b'"\\ud800"', b'{"a":', b"true", b"\xc3\xa9", b"}", b'"', b"[[]]")


def damaged(dice: random.Random, seed: bytes) -> bytes:
    """Damage an input in a few places."""
    found = bytearray(seed)
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(found) + 1)
        match dice.randrange(4):
            case 0 if place < len(found):
                found[place] ^= 1 << dice.randrange(8)
            case 1:
                found[place:place] = dice.choice(SPLICES)
            case 2:
                del found[place : place + dice.randint(1, 8)]
            case _:
                found[place:place] = found[: dice.randint(0, 16)]
    return bytes(found)


@pytest.mark.promise(15)
@pytest.mark.parametrize("name", TARGETS)
def test_damaged_input_is_read_or_rejected_by_name(name: str, measured: Callable[[str, object], None]) -> None:
    """No other exception, ever; and some are read, so the damage is not all of one kind."""
    target, count, read = TARGETS[name], 200_000, 0
    dice = random.Random(15)  # noqa: S311 - test data
    for _ in range(count):
        raw = damaged(dice, dice.choice(target.seeds))
        try:
            read += target.takes(raw)
        except Exception as error:
            raise AssertionError(f"{type(error).__name__} for {raw[:200]!r}") from error
    measured(f"damaged {name}", count)
    assert 0 < read < count


@pytest.mark.promise(15)
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", TARGETS)
def test_the_fuzzer_finds_nothing(
    name: str, measured: Callable[[str, object], None], at_scale: Callable[[int, int], int]
) -> None:
    """Guided by the branches that its inputs reach; what it found before is read first."""
    if not FUZZER.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("the fuzzer is missing: make fuzz (Linux on x86-64)")
    for known in CRASHES.glob(f"{name}-*"):
        TARGETS[name].takes(known.read_bytes())
    done = subprocess.run(  # noqa: S603 - our own program
        [FUZZER, "-m", "tests.fuzz", name, str(at_scale(50_000, 10_000_000))],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "core:."},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    executed, kept = re.findall(r"#(\d+)\s+DONE .* corp: (\d+)", done.stderr)[0]
    measured(f"fuzzed {name}, executions", int(executed))
    assert int(kept) > len(TARGETS[name].seeds), "it was not guided: no input reached anything new"
