"""What the documentation says of the command line is what the command line says of itself."""

import subprocess
import sys

from tools.cli.document import PATH


def test_the_document_is_the_commands_own_help() -> None:
    """A verb, an option or an exit code that is not documented cannot land."""
    script = "from tools.cli.document import document; print(document(), end='')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - our own
    assert PATH.read_text(encoding="utf-8") == done.stdout, "docs/cli.md is old: run `make docs`"
