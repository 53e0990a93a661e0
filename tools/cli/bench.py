"""`kite-relay bench`: the benchmarks, by name."""

from typing import Annotated

import typer

from tools.cli.checkout import ROOT, run_make

app = typer.Typer(add_completion=False)


def _names() -> list[str]:
    return sorted(
        it.stem
        for it in (ROOT / "tools" / "bench").glob("[a-z]*")
        if it.suffix == ".py" or (it / "__main__.py").exists()
    )


@app.command()
def bench(
    name: Annotated[str | None, typer.Argument(help="Which one; without a name they are listed.")] = None,
) -> None:
    """Run a benchmark; it prints a table and ends with one line of JSON."""
    if name is None:
        typer.echo("\n".join(_names()))
        return
    if name not in _names():
        raise typer.BadParameter(f"no such benchmark: {name!r}; there are {', '.join(_names())}")
    raise typer.Exit(run_make("bench", f"NAME={name}"))
