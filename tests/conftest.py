"""What every test may use: scale, and the promises' record of what was measured."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

T = TypeVar("T")
SOAK = os.environ.get("SOAK") == "1"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--promises FILE`: write down there what the promises' tests measured; `--only-promises 3,8`: run these."""
    parser.addoption("--promises", type=Path, help="write the results of the tests that keep a promise to this file")
    parser.addoption("--only-promises", default="", help="run only the tests of these promises, like 3,8")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of other promises than those asked for: a promise is measured whole or not at all."""
    asked = {int(number) for number in config.getoption("--only-promises").split(",") if number}
    if asked:
        kept = [item for item in items if (mark := item.get_closest_marker("promise")) and mark.args[0] in asked]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


@pytest.fixture
def at_scale() -> Callable[[T, T], T]:
    """Choose between the short form of a test's size and its long one (`SOAK=1`)."""
    return lambda short, long: long if SOAK else short


@pytest.fixture
def patience() -> float:
    """Stretch a limit in seconds: in the short forms the machine may be busy, in the long ones the number is held."""
    return 1.0 if SOAK else 4.0


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Callable[[str, object], None]:
    """Write down what a promise's test measured: a name and a value."""
    return lambda name, value: record_property(f"measured:{name}", value)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Put the promise's number where the report carries it, over processes too."""
    marker = item.get_closest_marker("promise")
    if marker:
        item.user_properties.append(("promise", marker.args[0]))


class PromiseRecord:
    """Collects what the promises' tests measured, in the process that hears every report."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._results: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take one phase of one test: a failure or a skip in any phase counts."""
        properties = dict(report.user_properties)
        if "promise" not in properties:
            return
        empty = {"promise": properties["promise"], "test": report.nodeid, "outcome": "passed", "measured": {}}
        result = self._results.setdefault(report.nodeid, empty)
        if report.outcome != "passed":
            result["outcome"] = report.outcome
        for key, value in report.user_properties:
            if key.startswith("measured:"):
                result["measured"][key.removeprefix("measured:")] = value

    def pytest_sessionfinish(self) -> None:
        """Write the results."""
        self._path.write_text(json.dumps(sorted(self._results.values(), key=lambda result: result["test"])))


def pytest_configure(config: pytest.Config) -> None:
    """Record the promises where they were asked for; never in a worker process, whose reports reach the first one."""
    path = config.getoption("--promises")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(PromiseRecord(path))
