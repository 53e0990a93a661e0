"""The entry point: lazy, plain, and ending with the promised exit codes."""

import subprocess
import sys
from importlib import import_module

import pytest
import typer
from typer.testing import CliRunner

from kite_relay.domain import errors
from tools.cli import main
from tools.cli.exits import Exits, exit_for


def test_help_lists_every_verb_and_imports_none() -> None:
    """`--help` is quick because it imports no verb, and nothing heavy."""
    script = (
        "import sys; from typer.testing import CliRunner; from tools.cli.main import app, VERBS;"
        "out = CliRunner().invoke(app, ['--help']).output; assert all(v in out for v in VERBS), out;"
        "bad = {m for m, _ in VERBS.values()} | {'rich.console', 'boto3', 'kiteconnect', 'asyncio', 'websockets'};"
        "print(sorted(bad & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - our own
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("verb", main.VERBS)
def test_every_verb_has_help_of_its_own(verb: str) -> None:
    """A registered verb exists, explains itself, and offers no completion options of its own."""
    assert isinstance(import_module(main.VERBS[verb][0]).app, typer.Typer)
    result = CliRunner().invoke(main.app, [verb, "--help"])
    assert result.exit_code == 0, result.output
    assert "--install-completion" not in result.output


def test_an_unknown_verb_is_a_usage_error() -> None:
    """A slip of the finger ends with 2."""
    assert CliRunner().invoke(main.app, ["statsu"]).exit_code == Exits.USAGE


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigurationError("x"), 5),
        (errors.LoginRefusedError("x"), 3),
        (errors.TokenRejectedError("x"), 3),
        (errors.LimitExceededError("x"), 2),
        (errors.KiteUnavailableError("x"), 4),
        (errors.StoreUnavailableError("x"), 4),
        (errors.MalformedError("x"), 4),
    ],
)
def test_each_error_has_its_exit_code(
    error: errors.KiteRelayError, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error of ours is told in a sentence, and ends with the code of what the operator must do."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(main, "app", fail)
    with pytest.raises(SystemExit) as end:
        main.main()
    assert (end.value.code, exit_for(error)) == (code, code)
    assert capsys.readouterr().err.endswith(": x\n")
