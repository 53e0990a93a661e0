"""`kite-relay serve`: everything on this machine, without AWS."""

import os
from pathlib import Path
from typing import Annotated

import typer

from tools.ports import port_base

app = typer.Typer(add_completion=False)
PORT = port_base()


@app.command()
def serve(
    *,
    env_file: Annotated[Path, typer.Option(envvar="ENV_FILE", help="The file in place of AWS.")] = Path(".env"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the pages listen, on this machine only.")] = PORT,
) -> None:
    """Run worker, login, status pages and reminder in one process, over one `.env` file.

    The file holds KITE_API_KEY, KITE_API_SECRET and ALLOWED_USER_IDS; every setting of the worker may stand there too.
    With KITE_NOTIFY_URLS (Apprise addresses, space separated) your phone is reminded of the login, outside QUIET_HOURS.
    Behind a reverse proxy, PUBLIC_URL names the address that browsers see.
    """
    from tools.devstack.one_machine import run  # noqa: PLC0415 - --help must not pay for the worker

    code = run(env_file, port)
    os._exit(code)  # a thread may hang for seconds in a call to a dead service; all that matters is closed by now
