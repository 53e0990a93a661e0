"""The entry point: lazy, plain, and ending with the promised exit codes."""

import os
import pty
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import typer
from typer.testing import CliRunner

from kite_relay.domain import errors
from tools.bench import NAMES
from tools.cli import bench, demo, main
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


@pytest.mark.parametrize(("verb", "module"), [(["demo"], demo), (["bench", "relay"], bench)])
def test_a_failed_run_is_no_wrong_use(monkeypatch: pytest.MonkeyPatch, verb: list[str], module: ModuleType) -> None:
    """Make ends with 2 whatever went wrong, which means something else here."""
    for made, code in ((2, Exits.DEGRADED), (0, Exits.OK)):
        monkeypatch.setattr(module, "run_make", lambda *_, made=made: made)
        assert CliRunner().invoke(main.app, verb).exit_code == code


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_that_is_listed_can_be_run(name: str) -> None:
    """And says in its first line what it measures."""
    module = import_module(f"tools.bench.{name}")
    assert module.__doc__
    folder = vars(module).get("__path__", [])
    assert callable(vars(module).get("main")) or (Path(folder[0]) / "__main__.py").is_file()


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


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("version", 0, "kite-relay"),
        ("statsu", 2, "kite-relay -h"),
        ("sim --port 70000", 2, "65535"),
        ("status", 5, "set AWS_REGION"),
        ("rotate", 5, "set AWS_REGION"),
        ("droplet", 5, "set AWS_REGION"),
        ("serve --env-file nowhere", 5, "kite-relay setup --env-file nowhere"),
        ("status --url http://127.0.0.1:9", 4, "is it the right address"),
    ],
)
def test_the_installed_command_ends_with_a_sentence_and_its_code(
    tmp_path: Path, arguments: str, code: int, words: str
) -> None:
    """In an empty folder, with nothing set: each stumble says what to do, and none shows a traceback or a colour."""
    command = [str(Path(sys.executable).with_name("kite-relay")), *arguments.split()]
    nothing = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true"}
    done = subprocess.run(command, cwd=tmp_path, env=nothing, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    told = done.stdout + done.stderr
    assert done.returncode == code, told
    assert words in told
    assert "Traceback" not in told
    assert "\x1b" not in told


def test_a_terminal_has_colours_unless_it_says_no(tmp_path: Path) -> None:
    """NO_COLOR is heard, and so is Ctrl-C, which ends with 130."""
    (tmp_path / ".env").write_text("KITE_API_KEY=key12345\nKITE_API_SECRET=secret12345\nALLOWED_USER_IDS=AB1234\n")
    said = {word: _at_a_terminal(tmp_path, {word: "1"} if word else {}) for word in ("", "NO_COLOR")}
    assert "\x1b[1m" in said[""]
    assert "\x1b[1m" not in said["NO_COLOR"]


def _at_a_terminal(folder: Path, more: dict[str, str]) -> str:
    """Run `status --watch` at a terminal until it has told something, and press Ctrl-C; returns what was seen."""
    ours, theirs = pty.openpty()
    command = [str(Path(sys.executable).with_name("kite-relay")), "status", "--watch"]
    env = {"HOME": str(folder), "PATH": os.environ["PATH"], "TERM": "xterm", **more}
    said = b""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # where a shell runs us behind it, a child would ignore it
    with subprocess.Popen(command, cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs) as process:  # noqa: S603 - our own
        os.close(theirs)
        while b"never been heard" not in said:
            said += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    os.close(ours)
    return said.decode()
