"""`kite-relay keys`: make, list and revoke the keys that programs connect to the relay with."""

import json
import secrets
from typing import Annotated

import typer

from kite_relay.adapters.clock import SystemClock
from kite_relay.domain.relay_keys import KEY_ENTROPY, PARAMETER, KeyRing, RelayKey, Scope, hash_key, make_key
from kite_relay.domain.token import IST
from kite_relay.ports import Parameters
from tools.cli import settings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Make, list and revoke relay keys.")


@app.callback()
def keys() -> None:
    """Make, list and revoke relay keys."""


def _read(parameters: Parameters) -> KeyRing:
    found = parameters.read(PARAMETER)
    return KeyRing.parse(found.value if found else None)


@app.command()
def create(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What uses the key; health shows it: ai_analysis, news_detection, ...")
    ],
    *,
    orders: Annotated[bool, typer.Option("--orders", help="Let it see the account's order updates too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")] = False,
) -> None:
    """Make a key. It is shown once and kept nowhere: only its hash is stored."""
    key = make_key(secrets.token_bytes(KEY_ENTROPY))
    scopes = frozenset({Scope.TICKS, Scope.ORDERS} if orders else {Scope.TICKS})
    made = RelayKey(name, hash_key(key), scopes, SystemClock().now())
    with settings.to_change(PARAMETER) as parameters:
        parameters.write(PARAMETER, _read(parameters).add(made).to_json(), secret=False)
    if as_json:
        typer.echo(json.dumps({"name": name, "key": key, "scopes": sorted(scopes)}))
        return
    typer.echo(key)
    typer.echo(f"This is the only time it is shown. Use it as access_token, and '{name}' as api_key.", err=True)


@app.command("list")
def list_(*, as_json: Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")] = False) -> None:
    """List the keys: name, scopes, since when. Never the keys themselves."""
    ring = _read(settings.stored().parameters())
    if as_json:
        typer.echo(json.dumps([{k: v for k, v in key.to_item().items() if k != "sha256"} for key in ring.keys]))
        return
    if not ring.keys:
        typer.echo("No keys yet. Make one: kite-relay keys create NAME")
    for key in ring.keys:
        made = f"{key.created_at.astimezone(IST):%Y-%m-%d %H:%M} IST"
        typer.echo(f"{key.name:<32}  {','.join(sorted(key.scopes)):<13}  {made}")


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The key's name.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Revoke a key; open connections that use it are closed within a minute."""
    _read(settings.stored().parameters()).remove(name)
    if not yes:
        typer.confirm(f"Close every client that uses '{name}', for good?", abort=True)
    with settings.to_change(PARAMETER) as parameters:
        parameters.write(PARAMETER, _read(parameters).remove(name).to_json(), secret=False)
    typer.echo(f"'{name}' is revoked.")
