"""What must not be seen when it is typed."""

import sys

import typer


def typed_unseen(question: str) -> str:
    """Ask without echo at a terminal; read one line where something is piped in."""
    if sys.stdin.isatty():
        return str(typer.prompt(question, hide_input=True)).strip()
    typer.echo(f"{question}: (from standard input)", err=True)
    line = sys.stdin.readline()
    if not line:
        raise typer.Abort
    return line.strip()
