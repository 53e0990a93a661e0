"""`kite-relay bench`: the benchmarks, by name."""

from typing import Annotated

import typer

from tools.bench import NAMES
from tools.cli.checkout import run_make
from tools.cli.exits import Exits

app = typer.Typer(add_completion=False)


@app.command()
def bench(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Which one; without a name they are listed.")
    ] = None,
) -> None:
    """Run a benchmark; it prints a table and ends with one line of JSON."""
    if name is None:
        typer.echo("\n".join(NAMES))
        return
    if name not in NAMES:
        raise typer.BadParameter(f"no such benchmark: {name!r}; there are {', '.join(NAMES)}")
    raise typer.Exit(Exits.DEGRADED if run_make("bench", f"NAME={name}") else Exits.OK)
