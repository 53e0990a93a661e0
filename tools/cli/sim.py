"""`kite-relay sim`: start the simulated Kite, or tell a running one to misbehave."""

import asyncio
import contextlib
import inspect
import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, cast

import typer

from kite_relay.domain.errors import ConfigurationError, KiteUnavailableError
from tools.ports import port_base
from tools.simulator import Simulator
from tools.simulator.faults import FourthSocket, OldSocket
from tools.simulator.panel import NAMES
from tools.simulator.server import API_KEY, API_SECRET

PORT = port_base() + 2
SECRET_VARIABLE = "SIMULATOR_API_SECRET"  # noqa: S105 - the name of a variable

app = typer.Typer(invoke_without_command=True, add_completion=False)


@app.callback()
def start(  # noqa: PLR0913 - each is an option of the command line
    context: typer.Context,
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where it listens, on loopback; or where the running one does.")
    ] = PORT,
    seed: Annotated[int, typer.Option(help="Decides all prices and tokens.")] = 1,
    api_key: Annotated[str, typer.Option(help="The registered app's key.")] = API_KEY,
    redirect_url: Annotated[str, typer.Option(help="The registered app's redirect URL.")] = Simulator.REDIRECT_URL,
    updates: Annotated[float, typer.Option(help="How often per second each instrument moves; 0: never.")] = 1.0,
    frames: Annotated[float, typer.Option(help="How many messages per second carry the updates.")] = 10.0,
    old_socket: Annotated[OldSocket, typer.Option(help="What a new login does to older sockets.")] = "survives",
    fourth_socket: Annotated[FourthSocket, typer.Option(help="What becomes of a socket beyond three.")] = "refuse",
    flush_at: Annotated[str, typer.Option(help="HH:MM in India at which all older tokens die, every day.")] = "",
) -> None:
    """Start a simulated Kite: login page, REST, ticker and controls on one port. With a verb: control a running one.

    The app's secret is read from SIMULATOR_API_SECRET.
    """
    context.obj = port
    if context.invoked_subcommand is not None:
        return
    simulator = Simulator(
        port=port,
        seed=seed,
        api_key=api_key,
        api_secret=os.environ.get(SECRET_VARIABLE, API_SECRET),
        redirect_url=redirect_url,
        updates=updates,
        frames=frames,
        old_socket=old_socket,
        fourth_socket=fourth_socket,
        flush_at=datetime.strptime(flush_at, "%H:%M").time() if flush_at else None,  # noqa: DTZ007 - a time of day
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(simulator))


async def serve(simulator: Simulator) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Raises:
        ConfigurationError: the port is taken.
    """
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    try:
        async with simulator:
            typer.echo(f"Simulated Kite: {simulator.login_root}/  ticker {simulator.ticker_root}  (Ctrl-C ends it)")
            await stopped.wait()
    except OSError as error:
        raise ConfigurationError(f"port {simulator.port} is taken: choose another with --port ({error})") from error


def tell(port: int, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Tell a running simulator one thing; returns its answer.

    Raises:
        KiteUnavailableError: none listens there.
        ConfigurationError: it does not take these arguments.
    """
    url = f"http://127.0.0.1:{port}/sim/{name}"
    body = json.dumps(arguments).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            return cast("dict[str, Any]", json.load(answer))
    except urllib.error.HTTPError as error:
        raise ConfigurationError(json.load(error)["error"]) from error
    except OSError as error:
        raise KiteUnavailableError(f"no simulator listens on port {port}: start one with `kite-relay sim`") from error


def _verb(name: str, control: Callable[..., Any]) -> Callable[..., None]:
    """Make a command of a control: the same options, sent over HTTP."""

    def command(context: typer.Context, **options: Any) -> None:
        given = {option: value for option, value in options.items() if value is not None}
        typer.echo(json.dumps(tell(context.obj, name, given), indent=2))

    parameters = [p for p in inspect.signature(control).parameters.values() if p.name != "self"]
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    options = [
        p.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[p.annotation, typer.Option()])
        for p in parameters
    ]
    command.__signature__ = inspect.Signature([context, *options])  # type: ignore[attr-defined]
    command.__annotations__ = {"context": typer.Context, **{p.name: p.annotation for p in options}}
    command.__doc__ = inspect.getdoc(control)
    return command


for _name in NAMES:
    _word = _name.replace("_", "-")
    app.command(_word)(_verb(_word, getattr(Simulator, _name)))
