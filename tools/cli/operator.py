"""What the verbs around the token have in common: the wiring, and one sentence about what became of a token."""

import typer

from kite_relay.config import LoginDeployable, login_deployable
from kite_relay.domain.errors import ConfigurationError
from kite_relay.usecases.publish_token import Published
from tools.cli import place


def wire() -> LoginDeployable:
    """Wire the login from the environment, or from the stack."""
    variables = place.variables()
    if "ENV_FILE" in variables:
        from pathlib import Path  # noqa: PLC0415 - seldom needed

        from kite_relay.adapters import dotenv  # noqa: PLC0415 - the same

        path = Path(variables["ENV_FILE"]).expanduser()
        told = dotenv.parse(path.read_text(encoding="utf-8")) if path.exists() else {}
        wanted = ("ALLOWED_USER_IDS", "KITE_API_ROOT", "KITE_LOGIN_ROOT", "PUBLIC_URL")
        variables = {**{name: told[name] for name in wanted if told.get(name)}, **variables}
    if not variables.get("ALLOWED_USER_IDS"):
        raise ConfigurationError("ALLOWED_USER_IDS is not set: name your Zerodha user id, such as AB1234")
    return login_deployable(variables)


def tell(published: Published, what: str) -> None:
    """Say what became of a token."""
    news = "and announced" if published.announced else "but NOT announced: the worker finds it within about a minute"
    typer.echo(f"{what} (generation {published.generation}) {news}.")
