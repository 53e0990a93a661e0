"""`python -m tools.devstack run` and `python -m tools.devstack demo`."""

import argparse
import asyncio
import sys

from kite_relay.domain.errors import ConfigurationError
from tools.devstack.places import Home
from tools.devstack.trouble import StackError


def main(name: str = "run") -> int:
    """Run one of the two; trouble is told in a sentence.

    Args:
        name: of the folder in which `run` lives.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.devstack", description=__doc__)
    parser.add_argument("what", choices=("run", "demo"))
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # into a file too, line by line
    try:
        if parser.parse_args().what == "run":
            from tools.devstack.run import run  # noqa: PLC0415 - each verb pays for what it needs

            asyncio.run(run(Home.named(name)))
            return 0
        from tools.devstack.demo import demo  # noqa: PLC0415 - the same

        return asyncio.run(demo())
    except (StackError, ConfigurationError) as error:
        print(f"\nkite-relay: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
