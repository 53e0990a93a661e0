"""Run every test that keeps a promise, write down what it measured, and print the table.

`python -m tools.promises` runs the short forms, with `SOAK=1` in the environment the long ones; `--render` only renders
the last results again. Results: docs/promises.json; the table: docs/promises.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RESULTS = ROOT / "docs" / "promises.json"
PAGE = ROOT / "docs" / "promises.md"
HEAD = """# The promises, measured

Made by `make promises` (short forms) or `make soak` (long forms) from the tests' own results; never typed by hand.
A number is what the named test measured in its last run; a promise whose tests did not all pass is not kept. A short
form is the same test with smaller counts (3 rounds in place of 100): only a long form reaches the numbers of the goal.

| # | Promise | To reach | Measured | Tests | When, where |
|---|---|---|---|---|---|
"""


def catalogue() -> list[dict[str, Any]]:
    """Read the promises: [{number, title, target}]."""
    promises: list[dict[str, Any]] = tomllib.loads((HERE / "catalogue.toml").read_text())["promise"]
    return promises


def run_tests(arguments: list[str]) -> list[dict[str, Any]]:
    """Run the promises' tests; returns [{promise, test, outcome, measured}]."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pytest", "-q", "-m", "promise", f"--promises={report}", *arguments]
        subprocess.run(command, cwd=ROOT, check=False)
        results: list[dict[str, Any]] = json.loads(report.read_text()) if report.exists() else []
    return results


def merge(old: dict[str, Any], results: list[dict[str, Any]], stamp: dict[str, str]) -> dict[str, Any]:
    """Replace the results of each promise that was run by the new ones, stamped with when and on which commit."""
    merged = dict(old)
    for number in {result["promise"] for result in results}:
        merged[str(number)] = {"stamp": stamp, "tests": [r for r in results if r["promise"] == number]}
    return merged


def cells(promise: dict[str, Any], kept: dict[str, Any] | None) -> list[str]:
    """Render one promise's row."""
    first = [str(promise["number"]), promise["title"], promise["target"]]
    if kept is None:
        return [*first, "not measured", "none", ""]
    failed = [test for test in kept["tests"] if test["outcome"] != "passed"]
    numbers = [f"{name} {value}" for test in kept["tests"] for name, value in test["measured"].items()]
    verdict = f"**not kept** ({len(failed)} of {len(kept['tests'])} tests did not pass)" if failed else "kept"
    names = sorted({test["test"].split("[")[0] for test in kept["tests"]})
    tests = "<br>".join(f"`{name}`" for name in names)
    return [
        *first,
        "; ".join([verdict, *numbers]),
        tests,
        "<br>".join([kept["stamp"]["at"], kept["stamp"]["commit"], kept["stamp"].get("form", "short form")]),
    ]


def render(results: dict[str, Any]) -> str:
    """Render the page."""
    rows = [cells(promise, results.get(str(promise["number"]))) for promise in catalogue()]
    return HEAD + "".join("| " + " | ".join(row) + " |\n" for row in rows)


def main() -> int:
    """Run, merge, render, print; exits with 1 when a promise is not kept."""
    parser = argparse.ArgumentParser(prog="python -m tools.promises", description=__doc__)
    parser.add_argument("--render", action="store_true", help="only render the last results again")
    options, rest = parser.parse_known_args()
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if not options.render:
        revision = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, check=False)
        commit = revision.stdout.decode().strip() or "no commit"
        form = "long form" if os.environ.get("SOAK") == "1" else "short form"
        stamp = {"at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), "commit": commit, "form": form}
        results = merge(results, run_tests(rest), stamp)
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    page = render(results)
    PAGE.write_text(page)
    print(page)
    return int("**not kept**" in page or "not measured" in page)


if __name__ == "__main__":
    sys.exit(main())
