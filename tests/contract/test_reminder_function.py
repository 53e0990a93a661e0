"""The reminder function as AWS starts it: environment in, EMF line and board out, over the real adapters."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from functions.reminder import app
from functions.reminder.wiring import wire
from kite_relay.adapters.aws import make_client
from kite_relay.domain.errors import ConfigurationError
from kite_relay.domain.gauges import Gauges
from tests.fakes.dynamodb import make_board

ENVIRONMENT = {"STACK_NAME": "kr", "PARAMETER_PREFIX": "/kr", "LOGIN_URL": "https://kite.example.com/login"}


@pytest.fixture
def table(aws: str, unique: str) -> str:
    """Make a board."""
    name = unique[-40:]
    make_board(make_client("dynamodb"), name)
    return name


@pytest.fixture
def function(table: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Set the environment that the template sets."""
    for name, value in (ENVIRONMENT | {"BOARD_TABLE": table}).items():
        monkeypatch.setenv(name, value)
    app.wired.cache_clear()
    yield app.handler
    app.wired.cache_clear()


def test_a_look_measures_for_the_alarms(function: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """One EMF line, whose names and dimension the template's alarms use."""
    answer = function({}, None)
    assert set(answer) == {"told", "failed"}
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    emf = json.loads(line)
    (directive,) = emf["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("kite-relay", [["stack"]])
    assert {metric["Name"] for metric in directive["Metrics"]} == {
        "HeartbeatMissing",
        "TokenNeeded",
        "CalendarDaysLeft",
        "NotificationFailures",
    }
    assert emf["stack"] == "kr"


def test_the_measurements_are_the_gauges(capsys: pytest.CaptureFixture[str]) -> None:
    """Value by value."""
    app.publish(Gauges(heartbeat_missing=1, token_needed=0, calendar_days_left=-3), 2, "kr")
    emf = json.loads(capsys.readouterr().out)
    values = {
        name: emf[name] for name in ("HeartbeatMissing", "TokenNeeded", "CalendarDaysLeft", "NotificationFailures")
    }
    assert values == {
        "HeartbeatMissing": [1.0],
        "TokenNeeded": [0.0],
        "CalendarDaysLeft": [-3.0],
        "NotificationFailures": [2.0],
    }


def test_an_environment_that_is_not_complete_is_told_whole() -> None:
    """Every problem in one sentence."""
    with pytest.raises(ConfigurationError, match=r"LOGIN_URL is not set.*QUIET_HOURS.*BOARD_TABLE"):
        wire({"QUIET_HOURS": "at night"})
