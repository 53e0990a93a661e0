"""The worker's composition root: settings in, one asyncio process out. `python -m worker.main` runs it."""

import asyncio
import contextlib
import logging
import os
import signal
import sys

import structlog

from kite_relay.config import worker_deployable
from kite_relay.domain.errors import ConfigurationError
from worker.logs import configure
from worker.settings import load
from worker.upstream import install_reactor, release_reactor
from worker.worker import Worker

CONFIGURATION_EXIT = 5

log = structlog.get_logger(__name__)


async def serve() -> None:
    """Run until SIGTERM or Ctrl-C, then drain.

    Raises:
        ConfigurationError: the environment is not right; every problem is told.
    """
    settings = load()
    configure(settings.log_level)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stopped.set)
    install_reactor()
    worker = Worker(settings, worker_deployable(os.environ))
    try:
        async with worker:
            await stopped.wait()
            log.info("draining")
    finally:
        release_reactor()


def main() -> None:
    """Run the worker as a process."""
    loop = asyncio.new_event_loop()
    code = 0
    try:
        loop.run_until_complete(serve())
    except ConfigurationError as error:
        print(f"kite-relay worker: {error}", file=sys.stderr)  # noqa: T201 - before any log is configured
        code = CONFIGURATION_EXIT
    # a thread may hang for many seconds in a call to a dead service; all that matters is saved and closed by now
    logging.shutdown()
    with contextlib.suppress(OSError):  # where nobody takes the log any more, or its disk is full
        sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
