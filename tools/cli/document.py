"""`python -m tools.cli.document`: writes docs/cli.md from the commands' own help."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import typer
from typer.testing import CliRunner

from tools.cli.checkout import ROOT
from tools.cli.main import VERBS, app

PATH = ROOT / "docs" / "cli.md"
WIDTH = 100
HEAD = """# The command line

Written by `make docs` from the commands' own help: change it there.

`kite-relay` works on a stack in AWS, or on one machine's file:

- **a stack**: the one that `samconfig.toml` in this folder names, or `STACK_NAME`, or `kite-relay`; AWS's own variables
  (`AWS_PROFILE`, `AWS_REGION`) say where. Its outputs tell everything else.
- **one machine**: `ENV_FILE=/path/.env`, or a `.env` with `KITE_API_KEY` and `ALLOWED_USER_IDS` in this folder
  ([one-machine.md](one-machine.md)).

Two more variables: `KITE_RELAY_KEY` is a relay key (for `watch`, and for `status --url`); `KITE_RELAY_URL` is a
dashboard's address for `status`. No secret is ever an argument: others can list those.

| exit code | meaning |
|---|---|
| 0 | ok |
| 1 | a bug of ours: please tell |
| 2 | used wrongly; the message says how |
| 3 | somebody must log in |
| 4 | something does not work, now or for a while |
| 5 | the configuration is wrong or incomplete |
| 130 | stopped by you: Ctrl-C, or no to a question, or nobody there to answer it |

Output is plain where no terminal is, and without colour with `NO_COLOR`. `kite-relay --install-completion` teaches the
shell that you type it in (bash, zsh, fish, PowerShell) the verbs; `--show-completion` prints what it would add.
"""


def document() -> str:
    """Write the whole document."""
    parts = [HEAD, _help([])]
    for verb, (module, _) in VERBS.items():
        parts.append(f"## {verb}\n\n{_help([verb])}")
        parts += [f"### {verb} {name}\n\n{_help([verb, name])}" for name in _inner(import_module(module).app)]
    return "\n".join(parts)


def _inner(verb: typer.Typer) -> Iterator[str]:
    command: Any = typer.main.get_command(verb)
    yield from getattr(command, "commands", {})


def _help(arguments: list[str]) -> str:
    result = CliRunner().invoke(app, [*arguments, "--help"], prog_name="kite-relay", terminal_width=WIDTH)
    return f"```text\n{result.output.strip()}\n```\n"


if __name__ == "__main__":
    PATH.write_text(document(), encoding="utf-8")
