"""`kite-relay token`: what is known of the token (never the token), and setting one by hand."""

import json
from typing import Annotated, Any

import typer

from kite_relay.config import LoginDeployable
from kite_relay.domain.errors import KiteUnavailableError, LoginRefusedError, TokenRejectedError
from kite_relay.domain.login import is_allowed
from kite_relay.domain.records import TokenRecord
from kite_relay.domain.token import IST, expected_expiry
from kite_relay.usecases.publish_token import publish_token
from tools.cli import operator
from tools.cli.unseen import typed_unseen

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def token() -> None:
    """Show what is known of the access token, or set one by hand."""


@app.command()
def show(*, as_json: Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")] = False) -> None:
    """Show the token's generation, age and expected end. The token itself is never shown, nor decrypted."""
    facts = _facts(operator.wire())
    if as_json:
        typer.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        typer.echo(f"{name:18} {'-' if value is None else value}")


def _facts(ports: LoginDeployable) -> dict[str, Any]:
    stamp = ports.tokens.peek()
    record = TokenRecord.from_item(ports.board.get([TokenRecord.KEY]).get(TokenRecord.KEY))
    known = record if record and stamp and record.generation == stamp.generation else None
    minted_at = (known and known.minted_at) or (stamp and stamp.written_at)
    gone = known is not None and known.token_length == 0
    return {
        "where": ports.tokens.name,
        "generation": stamp.generation if stamp else None,
        "state": "missing" if stamp is None else "logged out" if gone else "stored",
        "stored_at": stamp.written_at.astimezone(IST).isoformat(timespec="seconds") if stamp else None,
        "expected_expiry": expected_expiry(minted_at).isoformat() if minted_at and not gone else None,
        "user_id": known.user_id if known else None,
        "source": known.source if known else None,
        "announced_at": _ist(known),
    }


def _ist(record: TokenRecord | None) -> str | None:
    at = record.announced_at if record else None
    return at.astimezone(IST).isoformat(timespec="seconds") if at else None


@app.command("set")
def set_token() -> None:
    """Take a token that you minted elsewhere: it is checked at Kite, stored and announced.

    It is asked for without echo, or read from a pipe; never given on the command line, where others can see it.
    """
    ports = operator.wire()
    value = typed_unseen("Access token")
    if not value:
        raise LoginRefusedError("no token was given")
    user_id = _owner_at_kite(ports, value)
    published = publish_token(ports, value, user_id=user_id, minted_at=ports.clock.now(), source="cli")
    operator.tell(published, f"The token of {user_id} is stored")


def _owner_at_kite(ports: LoginDeployable, value: str) -> str:
    """Ask Kite whose token it is: a dead or a stranger's one would stop every program.

    Raises:
        LoginRefusedError: it is another user's.
        TokenRejectedError: Kite does not accept it.
        KiteUnavailableError: Kite cannot tell now; nothing was stored.
    """
    try:
        user_id = ports.kite.profile(value)
    except TokenRejectedError as error:
        raise TokenRejectedError(f"Kite refuses this token: {error} Get a new one: `kite-relay login`") from error
    except KiteUnavailableError as error:
        raise KiteUnavailableError(f"the token could not be checked at Kite, so it is not stored: {error}") from error
    if not is_allowed(user_id, ports.allowed_user_ids):
        raise LoginRefusedError(f"it is {user_id}'s, who may not set this token")
    return user_id
