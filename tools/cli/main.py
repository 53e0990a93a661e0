"""The `kite-relay` command: each verb is a module of its own, imported only when it is called."""

import sys


def main() -> None:
    """Run the command line."""
    sys.exit("kite-relay: no command is built in yet")
