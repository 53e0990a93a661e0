"""The threat model names tests that exist, and proves every ASVS item that it claims."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "threat-model.md").read_text()
ROWS = dict(re.findall(r"^\| (\d+\.\d+\.\d+) \|.*\| `(tests/\S+::test_\w+)` \|$", DOCUMENT, re.MULTILINE))


def claimed() -> set[str]:
    """List the items in brackets; `3.3.1-3.3.4` is four."""
    found = set()
    for brackets in re.findall(r"\[([\d., -]+)\]", DOCUMENT):
        for part in brackets.split(", "):
            first, _, last = part.partition("-")
            section, _, start = first.rpartition(".")
            found |= {f"{section}.{number}" for number in range(int(start), int((last or first).split(".")[-1]) + 1)}
    return found


def test_every_item_has_its_test() -> None:
    """And no item is proved that is not claimed."""
    assert claimed() == set(ROWS)


def test_every_test_that_is_named_exists() -> None:
    """A test that was renamed takes its proof with it."""
    named = re.findall(r"`(tests/\S+)::(test_\w+)`", DOCUMENT)
    assert len(named) > len(ROWS)
    assert [(file, test) for file, test in named if f"def {test}(" not in (ROOT / file).read_text()] == []
