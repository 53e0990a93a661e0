"""What only works in a checkout of the project: its Makefile knows which environments each thing needs."""

import subprocess
from pathlib import Path

from kite_relay.domain.errors import ConfigurationError

ROOT = Path(__file__).parents[2]


def run_make(*arguments: str) -> int:
    """Run a target; returns its exit code.

    Raises:
        ConfigurationError: this is no checkout.
    """
    if not (ROOT / "Makefile").is_file():
        raise ConfigurationError("this needs a checkout of kite-relay: clone it, and run the command there")
    return subprocess.run(["make", *arguments], cwd=ROOT, check=False).returncode
