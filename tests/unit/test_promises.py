"""The promises' table says what the tests measured, and nothing else."""

import json
from pathlib import Path

import pytest

from tools.promises.__main__ import RESULTS, catalogue, merge, render

pytest_plugins = ["pytester"]

SUITE = """# Run by the tests below as a suite of its own: one test of each outcome, for the table to tell.
import pytest

@pytest.mark.promise(1)
def test_kept(measured):
    measured("forged states accepted", 0)

@pytest.mark.promise(2)
def test_broken(measured):
    measured("writes", 1)
    assert False

@pytest.mark.promise(3)
def test_skipped():  # a promise whose test was skipped is not kept
    pytest.skip("no browser")

def test_of_no_promise():
    pass
"""


def test_there_are_twenty_promises() -> None:
    """Their numbers are 1 to 20, in order."""
    assert [promise["number"] for promise in catalogue()] == list(range(1, 21))


def test_what_the_readme_shows_was_measured() -> None:
    """A label whose measurement has another name now would leave the table without a word."""
    results = json.loads(RESULTS.read_text())
    for promise in catalogue():
        measured = [name for test in results[str(promise["number"])]["tests"] for name in test["measured"]]
        for label, start in promise["shown"].items():
            assert any(name.startswith(start) for name in measured), (promise["number"], label)


def record(pytester: pytest.Pytester, *arguments: str) -> list[dict[str, object]]:
    """Run the suite, and give what it wrote down."""
    pytester.makeconftest((Path(__file__).parents[1] / "conftest.py").read_text())
    pytester.makepyfile(SUITE)
    report = pytester.path / "report.json"
    pytester.runpytest_subprocess("-q", f"--promises={report}", "-p", "no:randomly", "-W", "ignore", *arguments)
    results: list[dict[str, object]] = json.loads(report.read_text())
    return results


def test_promises_are_chosen_whole(pytester: pytest.Pytester) -> None:
    """By their numbers: to replace a promise's row by some of its tests would hide the others."""
    assert {result["promise"] for result in record(pytester, "--only-promises=1,3")} == {1, 3}


def test_the_table_says_what_was_measured(pytester: pytest.Pytester) -> None:
    """A failed or a skipped test is a promise not kept; one without a test is not measured."""
    results = merge({}, record(pytester), {"at": "now", "commit": "abc"})
    rows = render(results).splitlines()[-20:]
    assert "| kept; forged states accepted 0 |" in rows[0]
    assert "**not kept** (1 of 1 tests did not pass); writes 1" in rows[1]
    assert "**not kept**" in rows[2]
    assert "not measured" in rows[3]
