"""The simulator's manual names every control with its arguments, and every option with its default."""

import inspect
import re
from pathlib import Path

import pytest
import typer

from tools.cli import sim
from tools.simulator import Simulator
from tools.simulator.panel import NAMES

MANUAL = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text()
ROWS = {found[1]: found[2] for found in re.finditer(r"^\| `([a-z-]+)` \| (.*) \|$", MANUAL, re.MULTILINE)}


@pytest.mark.parametrize("name", NAMES)
def test_every_control_is_in_the_manual(name: str) -> None:
    """With the names of its arguments."""
    row = ROWS[name.replace("_", "-")]
    arguments = set(inspect.signature(getattr(Simulator, name)).parameters) - {"self"}
    assert [argument for argument in arguments if not re.search(rf"`{argument}`", row)] == []


def test_every_option_is_in_the_manual() -> None:
    """Under the name that the command line takes."""
    command = typer.main.get_command(sim.app)
    options = {name for parameter in command.params for name in parameter.opts} - {"--help"}
    assert [option for option in options if f"| `{option}` |" not in MANUAL] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_control_is_a_verb(name: str) -> None:
    """The command line has it too, with its help."""
    group = typer.main.get_command(sim.app)
    verb = group.commands[name.replace("_", "-")]  # type: ignore[attr-defined]
    assert verb.help == inspect.getdoc(getattr(Simulator, name))
