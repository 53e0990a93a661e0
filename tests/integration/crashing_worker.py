"""The worker, killed by itself the very moment it logs a step of a generation: `CRASH_AT=step CRASH_GENERATION=7`.

Nothing of it runs after that.
"""

import os
import signal
from collections.abc import MutableMapping
from typing import Any

import structlog

import worker.main
from worker import logs

FATAL = {"step": os.environ["CRASH_AT"], "generation": int(os.environ["CRASH_GENERATION"])}


def crash(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Kill the process at its step, as the kernel would."""
    if FATAL.items() <= event.items():
        os.kill(os.getpid(), signal.SIGKILL)
    return event


def configure(level: str) -> None:
    """Configure the logs, with the crash before everything else."""
    logs.configure(level)
    structlog.configure(processors=[crash, *structlog.get_config()["processors"]])


worker.main.configure = configure  # type: ignore[attr-defined]  # main imports it by name

if __name__ == "__main__":
    worker.main.main()
