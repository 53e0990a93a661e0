"""`make mutants`: change the domain in thousands of small ways, and see whether its unit tests notice.

mutmut looks for the code in `src/`, so it works on a copy in `.run/mutants` that has it there. What was checked stays
there: an interrupted run goes on; a changed function and what survived are checked anew. The table in docs/mutation.md
is written from it at the end.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tools.marks import put_between

ROOT = Path(__file__).parents[1]
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


def rows() -> list[tuple[str, int, int]]:
    """Count the mutants of each file that was checked to its end: all, and those that no test noticed."""
    found = []
    for meta in sorted(RESULTS.glob("*.py.meta")):
        codes = Counter(json.loads(meta.read_text())["exit_code_by_key"].values())
        if codes and not codes[None]:
            found.append((meta.name.removesuffix(".meta"), codes.total(), sum(codes[code] for code in UNNOTICED)))
    return found


def table(found: list[tuple[str, int, int]]) -> str:
    """Write the counts as Markdown, with the sum."""
    total = ("all", sum(checked for _, checked, _ in found), sum(alive for *_, alive in found))
    lines = ["| file | mutants | survived | noticed |", "|---|---:|---:|---:|"]
    lines += [
        f"| {name} | {checked} | {alive} | {100 * (checked - alive) / checked:.1f} % |"
        for name, checked, alive in [*found, total]
    ]
    return "\n".join(lines) + "\n"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the quickest tests first (this module is a plugin of pytest's there): most mutants are noticed by any."""
    known = Path("mutmut-stats.json")
    seconds = json.loads(known.read_text())["duration_by_test"] if known.exists() else {}
    items.sort(key=lambda item: seconds.get(item.nodeid, 0.0))


def main(names: list[str]) -> None:
    """Check the named files of the domain, or all; then write the table."""
    copy()
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
    if found := rows():
        DOCUMENT.write_text(put_between(DOCUMENT.read_text(), "mutants", table(found)))
    sys.exit(done.returncode)


if __name__ == "__main__":
    main(sys.argv[1:])
