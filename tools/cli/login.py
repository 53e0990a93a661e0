"""`kite-relay login`: open the login on this machine or on a phone, or finish one by hand."""

import re
import webbrowser
from typing import Annotated
from urllib.parse import urlencode, urlsplit

import typer

from kite_relay.config import LoginDeployable
from kite_relay.domain.errors import ConfigurationError, KiteRelayError, LoginRefusedError
from kite_relay.domain.login import is_allowed, read_answer
from kite_relay.ports import required
from kite_relay.usecases.publish_token import publish_token
from tools.cli import operator, place
from tools.cli.unseen import typed_unseen

app = typer.Typer(add_completion=False)


@app.command()
def login(
    *,
    qr: Annotated[bool, typer.Option("--qr", help="Show a QR code for the phone; open no browser.")] = False,
    manual: Annotated[
        bool, typer.Option("--manual", help="Finish without the login page: paste what Zerodha redirects to.")
    ] = False,
) -> None:
    """Open the login page; or, with --manual, take the redirect from you and store and announce the token.

    --manual needs neither the HTTP API nor the board: it is the way in when AWS is half out of order.
    """
    if manual:
        finish(operator.wire())
        return
    url = _login_page()
    if qr:
        import segno  # noqa: PLC0415 - only a QR code needs it

        segno.make(url).terminal(compact=True)
        typer.echo(url)
    elif webbrowser.open(url):
        typer.echo(f"Opened {url}")
    else:
        typer.echo(f"No browser is found here. Open {url} anywhere, or use --qr.")


def _login_page() -> str:
    variables = place.variables()
    if "LOGIN_URL" in variables:
        return variables["LOGIN_URL"]
    raise ConfigurationError("the address of the login page is not known: set LOGIN_URL, or STACK_NAME")


def finish(ports: LoginDeployable) -> None:
    """Ask for what Zerodha redirects to, spend it, and keep the token.

    Raises:
        LoginRefusedError: it is no redirect, Zerodha says no, or it is another user's (whose session is ended).
    """
    query = urlencode({"v": "3", "api_key": required(ports.parameters, "api_key")})
    typer.echo(f"Log in here:\n\n    {ports.login_root}/connect/login?{query}\n")
    typer.echo("Zerodha then sends the browser to your redirect URL, with a request token in it. Within two minutes,")
    pasted = typed_unseen("paste that whole address, or the request token")
    request_token = request_token_in(pasted)
    try:
        session = ports.kite.exchange(request_token)
    except LoginRefusedError as error:
        raise LoginRefusedError(f"Zerodha says no: {error} Log in once more and paste the new address") from error
    if not is_allowed(session.user_id, ports.allowed_user_ids):
        raise LoginRefusedError(f"{session.user_id} may not set this token; {_ended(ports, session.access_token)}")
    published = publish_token(
        ports, session.access_token, user_id=session.user_id, minted_at=session.minted_at, source="cli"
    )
    operator.tell(published, f"The token of {session.user_id} is stored")


def _ended(ports: LoginDeployable, access_token: str) -> str:
    """End another user's session; says what became of it."""
    try:
        ports.kite.invalidate(access_token)
    except KiteRelayError as error:
        return f"that session still lives ({error}): log out at kite.zerodha.com"
    return "that session was ended"


def request_token_in(pasted: str) -> str:
    """Find the request token in what was pasted.

    Raises:
        LoginRefusedError: there is none; says what to paste.
    """
    text = pasted.strip()
    if re.fullmatch(r"[A-Za-z0-9_-]{8,128}", text):
        return text
    answer = read_answer(urlsplit(text).query)
    if not answer.usable:
        raise LoginRefusedError("no request token is in it: paste the address that holds request_token=...")
    if answer.cancelled:
        raise LoginRefusedError("that address says that the login was cancelled")
    return answer.request_token
