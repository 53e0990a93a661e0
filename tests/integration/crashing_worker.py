"""The worker, killed by itself the very moment it logs a step: `CRASH_AT=step`. Nothing of it runs after that."""

import os
import signal
from collections.abc import MutableMapping
from typing import Any

import structlog

import worker.main
from worker import logs

CRASH_AT = os.environ["CRASH_AT"]


def crash(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Kill the process at its step, as the kernel would."""
    if event.get("step") == CRASH_AT:
        os.kill(os.getpid(), signal.SIGKILL)
    return event


def configure(level: str) -> None:
    """Configure the logs, with the crash before everything else."""
    logs.configure(level)
    structlog.configure(processors=[crash, *structlog.get_config()["processors"]])


worker.main.configure = configure  # type: ignore[attr-defined]  # main imports it by name

if __name__ == "__main__":
    worker.main.main()
