"""Runs one of our programs with every library's log at DEBUG: `python loud.py worker`, `python loud.py serve ...`.

What it prints goes through the product's own handler; only the list of libraries that it quietens is emptied, and
autobahn and Twisted, which have loggers of their own, are led there too.
"""

import sys

import txaio
import txaio.tx
from twisted.python.log import PythonLoggingObserver

import worker.logs
from tools.cli.main import main as run_command
from worker.main import main as run_worker

if __name__ == "__main__":
    worker.logs.QUIET = ()  # type: ignore[assignment]
    txaio.use_twisted()  # type: ignore[no-untyped-call]  # its own gap
    txaio.tx.set_global_log_level("debug")  # type: ignore[no-untyped-call]  # the same
    PythonLoggingObserver("twisted").start()  # type: ignore[no-untyped-call]  # its own gap
    (run_worker if sys.argv[1] == "worker" else run_command)()
