"""What the verbs around the token have in common: the wiring, and one sentence about what became of a token."""

import typer

from kite_relay.config import LoginDeployable, login_deployable
from kite_relay.domain.errors import ConfigurationError
from kite_relay.usecases.publish_token import Published
from tools.cli import place


def wire() -> LoginDeployable:
    """Wire the login from the environment, completed from the file or the stack."""
    variables = place.variables()
    if not variables.get("ALLOWED_USER_IDS"):
        raise ConfigurationError("ALLOWED_USER_IDS is not set: name your Zerodha user id, such as AB1234")
    return login_deployable(variables)


def tell(published: Published, what: str) -> None:
    """Say what became of a token."""
    news = "and announced" if published.announced else "but NOT announced: the worker finds it within about a minute"
    typer.echo(f"{what} (generation {published.generation}) {news}.")
