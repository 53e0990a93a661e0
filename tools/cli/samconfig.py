"""Writes what `sam deploy` needs to know, and leaves what a person wrote there."""

import re
from collections.abc import Mapping
from pathlib import Path

from kite_relay.domain.errors import ConfigurationError

HEADER = "version = 0.1\n"
TABLE = "[default.deploy.parameters]"


def write_samconfig(path: Path, stack: str, region: str, parameters: Mapping[str, str]) -> None:
    """Write the table `default.deploy.parameters` anew; other tables stay as they are.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    overrides = " ".join(f'{name}=\\"{value}\\"' for name, value in parameters.items())
    lines = [
        TABLE,
        f'stack_name = "{stack}"',
        f'region = "{region}"',
        "resolve_s3 = true",
        'capabilities = "CAPABILITY_IAM"',
        f'parameter_overrides = "{overrides}"',
    ]
    try:
        old = path.read_text(encoding="utf-8") if path.exists() else HEADER
        kept = re.sub(rf"^{re.escape(TABLE)}\n(?:(?!\[).*\n?)*", "", old, flags=re.MULTILINE).rstrip("\n")
        path.write_text(f"{kept}\n\n" + "\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error
