"""Run every test that keeps a promise, write down what it measured, and print the table.

`python -m tools.promises` runs the short forms, with `SOAK=1` in the environment the long ones; `--render` only renders
the last results again. Results: docs/promises.json; the tables: docs/promises.md and the README's.
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

from tools.marks import put_between

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RESULTS = ROOT / "docs" / "promises.json"
PAGE = ROOT / "docs" / "promises.md"
README = ROOT / "README.md"
HEAD = """# The promises, measured

Made by `make promises` (short forms) or `make soak` (long forms) from the tests' own results; never typed by hand.
A number is what the named test measured in its last run; a promise whose tests did not all pass is not kept. A short
form is the same test with smaller counts (3 rounds in place of 100): only a long form reaches the numbers of the goal.

| # | Promise | To reach | Measured | Tests | When, where |
|---|---|---|---|---|---|
"""


def catalogue() -> list[dict[str, Any]]:
    """Read the promises: [{number, title, target, shown}]."""
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


def verdict(kept: dict[str, Any]) -> str:
    """Say whether a promise was kept."""
    failed = [test for test in kept["tests"] if test["outcome"] != "passed"]
    return f"**not kept** ({len(failed)} of {len(kept['tests'])} tests did not pass)" if failed else "kept"


def cells(promise: dict[str, Any], kept: dict[str, Any] | None) -> list[str]:
    """Render one promise's row."""
    first = [str(promise["number"]), promise["title"], promise["target"]]
    if kept is None:
        return [*first, "not measured", "none", ""]
    numbers = [f"{name} {value}" for test in kept["tests"] for name, value in test["measured"].items()]
    names = sorted({test["test"].split("[")[0] for test in kept["tests"]})
    tests = "<br>".join(f"`{name}`" for name in names)
    return [
        *first,
        "; ".join([verdict(kept), *numbers]),
        tests,
        "<br>".join([kept["stamp"]["at"], kept["stamp"]["commit"], form(kept)]),
    ]


def form(kept: dict[str, Any]) -> str:
    """Tell in which form a promise's tests were run."""
    return str(kept["stamp"].get("form", "short form"))


def short_row(promise: dict[str, Any], kept: dict[str, Any] | None) -> str:
    """Render one promise's row for the README: of each group of measurements the largest."""
    if kept is None:
        return f"| {promise['number']} | {promise['title']} | not measured |\n"
    numbers = [pair for test in kept["tests"] for pair in test["measured"].items()]
    groups = {
        label: [value for name, value in numbers if name.startswith(start)] for label, start in promise["shown"].items()
    }
    told = ", ".join(f"{label}: {_largest(values)}" for label, values in groups.items() if values)
    return f"| {promise['number']} | {promise['title']} | {verdict(kept)} ({form(kept)}); {told} |\n"


def _largest(values: list[Any]) -> Any:
    return max(values) if all(isinstance(value, int | float) for value in values) else values[0]


def with_promises(readme: str, results: dict[str, Any]) -> str:
    """Give the README with today's numbers."""
    rows = "".join(short_row(promise, results.get(str(promise["number"]))) for promise in catalogue())
    return put_between(readme, "promises", f"| # | Promise | Measured |\n|---|---|---|\n{rows}")


def render(results: dict[str, Any]) -> str:
    """Render the page."""
    rows = [cells(promise, results.get(str(promise["number"]))) for promise in catalogue()]
    return HEAD + "".join("| " + " | ".join(row) + " |\n" for row in rows)


def _recorded() -> dict[str, Any]:
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def main() -> int:
    """Run, merge, render, print; exits with 1 when a promise is not kept."""
    parser = argparse.ArgumentParser(prog="python -m tools.promises", description=__doc__)
    parser.add_argument("--render", action="store_true", help="only render the last results again")
    options, rest = parser.parse_known_args()
    if not options.render:
        revision = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, check=False)
        commit = revision.stdout.decode().strip() or "no commit"
        form = "long form" if os.environ.get("SOAK") == "1" else "short form"
        stamp = {"at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), "commit": commit, "form": form}
        found = run_tests(rest)
        RESULTS.write_text(json.dumps(merge(_recorded(), found, stamp), indent=1, sort_keys=True) + "\n")
    results = _recorded()  # the tables tell what stands there, in its order
    page = render(results)
    PAGE.write_text(page)
    README.write_text(with_promises(README.read_text(), results))
    print(page)
    return int("**not kept**" in page or "not measured" in page)


if __name__ == "__main__":
    sys.exit(main())
