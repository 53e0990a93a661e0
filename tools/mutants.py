"""`make mutants`: change the domain in thousands of small ways, and see whether its unit tests notice.

mutmut looks for the code in `src/`, so it works on a copy in `.run/mutants` that has it there. What was checked stays
there: an interrupted run goes on; a changed function and what survived are checked anew. The table in docs/mutation.md
is written from it at the end.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from kite_relay.adapters.calendar import load_calendar
from tools.marks import put_between

ROOT = Path(__file__).parents[1]
DOMAIN = ROOT / "core" / "kite_relay" / "domain"
COPY = ROOT / ".run" / "mutants"
RESULTS = COPY / "mutants" / "src" / "kite_relay" / "domain"
DOCUMENT = ROOT / "docs" / "mutation.md"
UNNOTICED = (0, 5, 33)
"""mutmut's exit codes of a mutant that survived, or that no test ran; None is one that was not checked yet."""


def copy() -> None:
    """Bring the copy up to date: git's files, the core as `src`."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        source, target = ROOT / name, COPY / name.replace("core/", "src/", 1)
        if source.exists() and not (target.exists() and target.stat().st_mtime == source.stat().st_mtime):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def forget_survivors() -> None:
    """Let them be asked again: tests may have come since."""
    for meta in RESULTS.glob("*.py.meta"):
        known = json.loads(meta.read_text())
        codes = known["exit_code_by_key"].items()
        meta.write_text(
            json.dumps(known | {"exit_code_by_key": {k: c if c not in UNNOTICED else None for k, c in codes}})
        )


def counted() -> dict[str, tuple[int, int]]:
    """Count the mutants of each file that was checked to its end: all, and those that no test noticed."""
    found = {}
    for meta in RESULTS.glob("*.py.meta"):
        codes = Counter(json.loads(meta.read_text())["exit_code_by_key"].values())
        if codes and not codes[None]:
            found[meta.name.removesuffix(".meta")] = (codes.total(), sum(codes[code] for code in UNNOTICED))
    return found


def written(document: str) -> dict[str, tuple[int, int]]:
    """Read the counts that the document has, of files that there still are."""
    rows = re.findall(r"^\| (\w+\.py) \| (\d+) \| (\d+) \|", document, re.MULTILINE)
    return {name: (int(checked), int(alive)) for name, checked, alive in rows if (DOMAIN / name).exists()}


def table(counts: dict[str, tuple[int, int]]) -> str:
    """Write the counts as Markdown, with the sum."""
    total = (sum(checked for checked, _ in counts.values()), sum(alive for _, alive in counts.values()))
    lines = ["| file | mutants | survived | noticed |", "|---|---:|---:|---:|"]
    lines += [
        f"| {name} | {checked} | {alive} | {100 * (checked - alive) / checked:.1f} % |"
        for name, (checked, alive) in [*sorted(counts.items()), ("all", total)]
    ]
    return "\n".join(lines) + "\n"


def pytest_sessionstart() -> None:
    """Take a fresh calendar (this module is a plugin of pytest's there): the process before the fork has a full one."""
    load_calendar.cache_clear()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the quickest tests first: most mutants are noticed by any."""
    known = Path("mutmut-stats.json")
    seconds = json.loads(known.read_text())["duration_by_test"] if known.exists() else {}
    items.sort(key=lambda item: seconds.get(item.nodeid, 0.0))


def main(names: list[str]) -> None:
    """Check the named files of the domain, or all; then write the table."""
    copy()
    if not names:  # what is named is checked anew in any case
        forget_survivors()
    chosen = [f"kite_relay.domain.{name}.*" for name in names]
    done = subprocess.run(
        [
            "nice",
            "-n",
            "19",
            Path(sys.executable).parent / "mutmut",
            "run",
            "--max-children",
            str(os.cpu_count()),
            *chosen,
        ],
        cwd=COPY,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # pytest's start is most of a mutant's time
        check=False,  # an interrupted run still counts for what it checked
    )
    if found := counted():
        document = DOCUMENT.read_text()
        DOCUMENT.write_text(put_between(document, "mutants", table(written(document) | found)))
    sys.exit(done.returncode)


if __name__ == "__main__":
    main(sys.argv[1:])
