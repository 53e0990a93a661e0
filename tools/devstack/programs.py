"""How the simulator and the worker are started: their commands and their environments."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.cli.droplet import aws_config
from tools.devstack.cloud import REGION, base_env
from tools.devstack.places import HOST, ROOT, Home, Ports, program

API_KEY = "simulatorkey"
API_SECRET = "simulator-secret"  # noqa: S105 - it opens nothing but the simulator

Command = Sequence[str | Path]


def ours(home: Home) -> dict[str, str]:
    """Give the environment of a program of this repository."""
    return base_env(home) | {"PYTHONPATH": os.pathsep.join((str(ROOT / "core"), str(ROOT)))}


def simulator_command(ports: Ports, page: str, more: Sequence[str]) -> Command:
    """Start the simulator with our app registered."""
    python = program("dev", "python")
    where = ("--port", str(ports.simulator), "--redirect-url", f"{page}/callback")
    return (python, "-m", "tools.simulator", *where, *more)


def worker_command() -> Command:
    """Start the worker as its image does."""
    return (program("dev", "python"), "-m", "worker.main")


def worker_env(home: Home, ports: Ports, outputs: Mapping[str, str], endpoint: str) -> dict[str, str]:
    """Give the worker the deployed stack, its own access key as on a droplet, and this machine's Kite."""
    config = home.path / "aws.config"
    config.write_text(aws_config(REGION, program("dev", "python"), home.key))
    return ours(home) | {
        "AWS_CONFIG_FILE": str(config),
        "AWS_ENDPOINT_URL": endpoint,
        "PARAMETER_PREFIX": outputs["ParameterPrefix"],
        "BOARD_TABLE": outputs["BoardTableName"],
        "QUEUE_URL": outputs["QueueUrl"],
        "KITE_API_ROOT": f"http://{HOST}:{ports.simulator}",
        "KITE_TICKER_ROOT": f"ws://{HOST}:{ports.simulator}/ticker",
        "RELAY_HOST": HOST,
        "RELAY_PORT": str(ports.relay),
        "WEB_HOST": HOST,
        "WEB_PORT": str(ports.worker),
        "STATE_DIR": str(home.state),
        "DASHBOARD_ORIGINS": f"http://localhost:{ports.page}",
    }
