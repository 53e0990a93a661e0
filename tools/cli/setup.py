"""`kite-relay setup`: few questions, each checked as it is typed; secrets go to the store and nowhere else."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from kite_relay.adapters.aws import make_client
from kite_relay.adapters.clock import SystemClock
from kite_relay.adapters.env_file import EnvFile, FileParameters
from kite_relay.adapters.ssm import SsmParameters
from kite_relay.config import user_ids
from kite_relay.domain.errors import ConfigurationError
from kite_relay.logging import scrubber
from kite_relay.ports import Parameters
from tools.cli.checkout import run_make
from tools.cli.place import DEFAULT_STACK, SAMCONFIG, require_aws, samconfig, stack_variables, use_samconfigs_region
from tools.cli.samconfig import write_samconfig
from tools.cli.style import paint, sign
from tools.cli.unseen import typed_unseen
from tools.env_file import public_url

app = typer.Typer(add_completion=False)
Read = Callable[[str], str]


def stack_word(text: str) -> str:
    """Read a stack's name.

    Raises:
        ValueError: CloudFormation would refuse it.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,63}", text):
        raise ValueError("letters, digits and hyphens, beginning with a letter")
    return text


def key_word(text: str) -> str:
    """Read an API key or secret.

    Raises:
        ValueError: it cannot be one.
    """
    if not re.fullmatch(r"[A-Za-z0-9]{8,64}", text):
        raise ValueError("8 to 64 letters and digits, as developers.kite.trade shows it")
    return text


def relay_word(text: str) -> str:
    """Read the relay's address; nothing is an answer too.

    Raises:
        ValueError: it is none.
    """
    if text and not re.fullmatch(r"wss://[A-Za-z0-9.:-]+(/[A-Za-z0-9./_-]*)?", text):
        raise ValueError("an address like wss://relay.example.com, or nothing while there is no worker yet")
    return text


def users_word(text: str) -> str:
    """Read the Zerodha user ids.

    Raises:
        ValueError: one is none.
    """
    return ",".join(user_ids(text.upper()))


@app.command()
def setup(
    *,
    env_file: Annotated[
        Path | None, typer.Option("--env-file", help="Set up a single machine: everything in this file, no AWS.")
    ] = None,
    deploy: Annotated[bool | None, typer.Option("--deploy/--no-deploy", help="Deploy; asked if absent.")] = None,
) -> None:
    """Set up from nothing: ask little, store the secrets, deploy, and tell the redirect URL to register."""
    if env_file:
        _one_machine(env_file.expanduser())
    else:
        _aws(deploy)


def _one_machine(path: Path) -> None:
    typer.echo(f"Everything will stand in {path} (readable by you alone). Nothing else is written.\n")
    users = ask("Zerodha user id that may log in", users_word)
    _store_keys(FileParameters(EnvFile(path, SystemClock(), scrubber.learn)), f"stored in {path}")
    from kite_relay.adapters import dotenv, files  # noqa: PLC0415 - beside its one use

    text = dotenv.update(path.read_text(encoding="utf-8"), {"ALLOWED_USER_IDS": users})
    files.replace(path, text.encode())
    _next(f"{public_url({})}/callback", f"kite-relay serve --env-file {path}")


def _aws(deploy: bool | None) -> None:  # noqa: FBT001 - the option's own type
    use_samconfigs_region()
    require_aws()
    known = samconfig()
    stack = ask(
        "Name of the stack (one for each Zerodha account)", stack_word, str(known.get("stack_name") or DEFAULT_STACK)
    )
    users = ask("Zerodha user id that may log in", users_word)
    relay = ask("Address of the relay (empty while there is no worker yet)", relay_word, "")
    client = make_client("ssm")
    _store_keys(SsmParameters(client, f"/{stack}", scrubber.learn), "stored, encrypted")
    given = {"AllowedUserIds": users, **({"RelayUrl": relay} if relay else {})}
    write_samconfig(SAMCONFIG, stack, client.meta.region_name, given)
    typer.echo(f"{sign('good')} {SAMCONFIG} tells `sam deploy` the rest (no secret stands in it)")
    if deploy is None:
        deploy = typer.confirm("Deploy now (make deploy)?", default=True)
    if deploy:
        _deploy()
        _next(stack_variables(stack)["REDIRECT_URL"], "kite-relay rotate, then start the worker on its machine")
    else:
        typer.echo("\nLater: `make deploy`, then `kite-relay doctor` tells the redirect URL to register.")


def ask(question: str, read: Read, default: str | None = None, *, hidden: bool = False) -> str:
    """Ask until the answer can be one."""
    while True:
        text = typed_unseen(question) if hidden else typer.prompt(question, default=default, show_default=bool(default))
        try:
            return read(str(text).strip())
        except ValueError as error:
            typer.echo(f"  {sign('bad')} That is none: {error}.", err=True)


def _store_keys(parameters: Parameters, how: str) -> None:
    """Ask for the app's keys and store them; what is there already may stay."""
    for name, words in (("api_key", "API key"), ("api_secret", "API secret")):
        if parameters.exists(name) and not typer.confirm(f"The {words} is stored already. Replace it?", default=False):
            continue
        value = ask(f"Kite Connect {words} (typed unseen)", key_word, hidden=True)
        parameters.write(name, value, secret=True)
        typer.echo(f"{sign('good')} {words} {how}")


def _deploy() -> None:
    typer.echo(paint("$ make deploy", "soft"))
    if run_make("deploy", f"ARGS=--config-file {SAMCONFIG.resolve()}"):
        raise ConfigurationError("`make deploy` failed; what it says stands above")


def _next(redirect: str, then: str) -> None:
    typer.echo(f"\n{sign('good')} Ready. Two things are left:")
    typer.echo(f"  1. Register this redirect URL, exactly so, at https://developers.kite.trade:\n       {redirect}")
    typer.echo(f"  2. {then}")
