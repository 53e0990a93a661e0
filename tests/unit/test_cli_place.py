"""The verbs that change settings change those of the stack that this folder names, and no other's."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from kite_relay.domain.errors import ConfigurationError
from tools.cli import main, place

NOWHERE = {"AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let a stack of another name than the usual stand in AWS; gives the names that were asked for."""
    asked: list[str] = []

    def outputs(name: str) -> dict[str, str]:
        asked.append(name)
        return {"PARAMETER_PREFIX": f"/{name}"}

    monkeypatch.setattr(place, "stack_variables", outputs)
    return asked


def test_the_stacks_own_prefix(stack: list[str]) -> None:
    """A second account's keys go under its own prefix, not under the first one's."""
    assert place.variables({"STACK_NAME": "kite-relay-anu"})["PARAMETER_PREFIX"] == "/kite-relay-anu"
    assert stack == ["kite-relay-anu"]


def test_what_is_named_goes_first(stack: list[str], tmp_path: Path) -> None:
    """A file needs no CloudFormation, and a prefix that is named goes before the stack's."""
    (tmp_path / "mine").touch()
    assert place.variables({"ENV_FILE": str(tmp_path / "mine")})["ENV_FILE"] == str(tmp_path / "mine")
    assert stack == []
    assert place.variables({"STACK_NAME": "theirs", "PARAMETER_PREFIX": "/mine"})["PARAMETER_PREFIX"] == "/mine"


@pytest.mark.parametrize("verb", [["keys", "list"], ["calendar", "list"]])
def test_no_region_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, verb: list[str]) -> None:
    """A newcomer who has set nothing reads what to set, not the name of AWS's exception."""
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "ENV_FILE", "PARAMETER_PREFIX", "BOARD_TABLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(main.app, verb)
    assert isinstance(result.exception, ConfigurationError)
    assert "set AWS_REGION" in str(result.exception)
