"""`kite-relay droplet`: write the cloud-init that makes a new droplet a relay. It holds no secret."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from textwrap import indent
from typing import Annotated

import typer

from kite_relay import __version__
from kite_relay.domain.errors import ConfigurationError
from tools.cli.place import stack_name, stack_variables
from tools.cli.rotate import KEY_FILE

INFRA = Path(__file__).parents[2] / "infra"
IMAGE = f"kite-relay-worker:{__version__}"
_MARK = re.compile(r"@@([A-Z_]+)@@")
_BLOCK_INDENT = " " * 6

app = typer.Typer(add_completion=False)


def fill(template: str, values: Mapping[str, str]) -> str:
    """Replace every @@NAME@@; one that stands alone on its line becomes an indented block.

    Raises:
        KeyError: a name has no value.
    """
    lines = []
    for line in template.splitlines():
        alone = _MARK.fullmatch(line.strip())
        if alone:
            lines.append(indent(values[alone[1]].rstrip("\n"), _BLOCK_INDENT))
        else:
            lines.append(line if line.startswith("#") else _MARK.sub(lambda found: values[found[1]], line))
    return "\n".join(lines) + "\n"


def worker_env(stack: Mapping[str, str], page: str, instruments: str) -> str:
    """Write the worker's settings: none of them is a secret."""
    settings = {
        "AWS_CONFIG_FILE": "/etc/kite-relay/aws.config",
        "PARAMETER_PREFIX": stack["PARAMETER_PREFIX"],
        "BOARD_TABLE": stack["BOARD_TABLE"],
        "QUEUE_URL": stack["QUEUE_URL"],
        "DASHBOARD_ORIGINS": page.rstrip("/"),
        "INSTRUMENTS": instruments,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def aws_config(region: str, python: str | Path, key_file: str | Path) -> str:
    """Write the worker's way to AWS."""
    values = {"REGION": region, "PYTHON": str(python), "KEY_FILE": str(key_file)}
    return fill((INFRA / "aws.config").read_text(), values)


def region_of(queue_url: str) -> str:
    """Read the region from the queue's URL.

    Raises:
        ConfigurationError: it is no URL of SQS.
    """
    found = re.match(r"https://sqs\.([a-z0-9-]+)\.", queue_url)
    if found is None:
        raise ConfigurationError(f"the stack's queue is not in AWS: {queue_url}")
    return found[1]


def render(stack: Mapping[str, str], *, image: str, host: str, instruments: str) -> str:
    """Write the cloud-init document."""
    values = {
        "WORKER_ENV": worker_env(stack, stack["STATUS_URL"], instruments),
        "COMPOSE_ENV": f"KITE_RELAY_IMAGE={image}\nRELAY_HOST={host}\n",
        "AWS_CONFIG": aws_config(region_of(stack["QUEUE_URL"]), "python", KEY_FILE),
        "COMPOSE": (INFRA / "compose.yaml").read_text(),
        "CADDYFILE": (INFRA / "Caddyfile").read_text(),
    }
    return fill((INFRA / "cloud-init.yaml").read_text(), values)


@app.command()
def droplet(
    *,
    stack: Annotated[str, typer.Option(help="Its stack; without it STACK_NAME, or samconfig.toml's.")] = "",
    image: Annotated[str, typer.Option(help="The worker's image, as Docker on the droplet will find it.")] = IMAGE,
    host: Annotated[str, typer.Option(help="The relay's host name; empty: one made of the droplet's address.")] = "",
    instruments: Annotated[str, typer.Option(help="Instruments to hold always, EXCHANGE:SYMBOL,...")] = (
        "NSE:NIFTY 50,NSE:NIFTY BANK,BSE:SENSEX"
    ),
) -> None:
    """Write the user data for a new droplet to standard output. Paste it when you create the droplet."""
    found = stack_variables(stack or stack_name(os.environ))
    typer.echo(render(found, image=image, host=host, instruments=instruments), nl=False)
