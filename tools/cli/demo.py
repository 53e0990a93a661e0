"""`kite-relay demo`: the whole story on this machine without any account, timed, in one line of JSON at the end."""

import typer

from tools.cli.checkout import run_make
from tools.cli.exits import Exits

app = typer.Typer(add_completion=False)


@app.command()
def demo() -> None:
    """Play the whole story on this machine: login, live, a second login, a killed socket. Needs no account."""
    raise typer.Exit(Exits.DEGRADED if run_make("demo") else Exits.OK)
