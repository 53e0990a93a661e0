"""`kite-relay logout`: kill the token at Kite, mark it gone, announce it."""

from typing import Annotated

import typer

from kite_relay.usecases.log_out import log_out
from tools.cli import operator

app = typer.Typer(add_completion=False)


@app.command()
def logout(*, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """End the token's life at Zerodha. Every program that uses it stops until the next login."""
    ports = operator.wire()
    if not yes:
        typer.confirm("End the token? Nothing flows until the next login", abort=True)
    published = log_out(ports)
    if published is None:
        typer.echo("There is no token to end.")
    else:
        operator.tell(published, "The token is dead at Zerodha, and its end is stored")
