"""`kite-relay version`: what is installed here, for a report or a script."""

import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from kite_relay import __version__

app = typer.Typer(add_completion=False)
PARTS = ("kiteconnect", "websockets", "boto3")


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


@app.command()
def tell(*, as_json: Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")] = False) -> None:
    """Tell the version, and what it runs on."""
    facts = {
        "kite-relay": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        **{name: _installed(name) for name in PARTS},
    }
    if as_json:
        json.dump(facts, sys.stdout, indent=2)
        typer.echo()
        return
    for name, value in facts.items():
        typer.echo(f"{name:<12} {value}")
