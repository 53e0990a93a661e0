"""Everything on one machine, without AWS: worker, login and status pages in one process, over one `.env` file."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from functions.login_callback import app as login_app
from functions.status import app as status_app
from kite_relay.config import login_deployable, worker_deployable
from kite_relay.domain.errors import ConfigurationError
from kite_relay.ports import required
from tools.devstack.gateway import Gateway
from tools.devstack.reminders import remind_for_ever, reminder
from tools.env_file import public_url, read_settings, relay_url
from worker.logs import configure
from worker.settings import Settings, load
from worker.upstream import install_reactor, release_reactor
from worker.worker import Worker

HOST = "127.0.0.1"
OWN_SETTINGS = ("ALLOWED_USER_IDS", "KITE_LOGIN_ROOT", "RELAY_URL", "PUBLIC_URL", "QUIET_HOURS")
"""What the pages and the reminder can be told, beside the worker's settings."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pages are.

    Args:
        env_file: the file in place of SSM.
        port: where the pages listen, on the loopback.
        public_url: by which address browsers reach them; TLS for it is a reverse proxy's work.
    """

    env_file: Path
    port: int
    public_url: str

    @property
    def domain(self) -> str:
        """Name the host that browsers see."""
        return urlsplit(self.public_url).hostname or "localhost"


def environment(env_file: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Give the environment, completed by the settings (not the secrets) that stand in the file.

    Raises:
        ConfigurationError: there is no such file, or it cannot be read; says what to do.
    """
    names = {*OWN_SETTINGS, *(name.upper() for name in Settings.model_fields)}
    return {**read_settings(env_file, names), **given, "ENV_FILE": str(env_file)}


def complete(variables: dict[str, str], port: int) -> Place:
    """Fill in what follows from the rest: the relay's address and the pages' origin; tells where the pages are.

    Raises:
        ConfigurationError: PUBLIC_URL is no address.
    """
    page = public_url(variables, port)
    variables["RELAY_URL"] = relay_url(variables, page)
    variables.setdefault("DASHBOARD_ORIGINS", page)
    return Place(Path(variables["ENV_FILE"]), port, page)


async def serve(env_file: Path, port: int) -> None:
    """Run until SIGTERM or Ctrl-C, then drain.

    Raises:
        ConfigurationError: a setting or a secret is missing, or the port is taken; says what to do.
    """
    variables = environment(env_file, os.environ)
    place = complete(variables, port)
    os.environ.update(variables)
    settings = load()
    login = login_deployable()
    for name in ("api_key", "api_secret"):
        required(login.parameters, name)
    look = reminder(login.parameters, variables, place.public_url)
    configure(settings.log_level)
    stopped = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stopped.set)
    install_reactor()
    gateway = Gateway(login_app.handler, status_app.handler, place.domain)
    runner = web.AppRunner(gateway.application(), access_log=None)
    try:
        await runner.setup()
        await _listen(runner, port)
        async with Worker(settings, worker_deployable()):
            reminding = asyncio.create_task(remind_for_ever(look))
            print(invitation(place), flush=True)
            await stopped.wait()
            reminding.cancel()
    finally:
        await runner.cleanup()
        release_reactor()


async def _listen(runner: web.AppRunner, port: int) -> None:
    try:
        await web.TCPSite(runner, HOST, port).start()
    except OSError as error:
        raise ConfigurationError(f"port {port} is taken: choose another with --port ({error.strerror})") from error


def invitation(place: Place) -> str:
    """Say what to open and what to press."""
    return (
        f"kite-relay runs on this machine, over {place.env_file}. Open {place.public_url}/ and press Log in.\n"
        f"Redirect URL to register at https://developers.kite.trade: {place.public_url}/callback   (Ctrl-C ends it)"
    )


def run(env_file: Path, port: int) -> int:
    """Serve; returns the exit code. The process's last act: a thread may hang in a call to a dead service.

    Raises:
        ConfigurationError: a setting or a secret is missing; says what to do.
    """
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(serve(env_file, port))
    except ConfigurationError:
        loop.close()  # nothing hangs yet, and the interpreter ends as usual
        raise
    sys.stdout.flush()
    return 0
