"""What `doctor` examines, each part reached when it is first asked for."""

import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import urllib3

from kite_relay.config import KITE_API_ROOT, Environment, stores
from kite_relay.domain.errors import ConfigurationError, WillPassError
from kite_relay.domain.records import Heartbeat
from kite_relay.ports import Parameters, StatusBoard, TokenStore

SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What an address answered."""

    status: int
    headers: Mapping[str, str]
    text: str


def ask(url: str) -> Answer:
    """Ask an address, without following it anywhere.

    Raises:
        WillPassError: it does not answer.
    """
    pool = urllib3.PoolManager(timeout=SECONDS, retries=False)
    try:
        answer = pool.request("GET", url, redirect=False, headers={"User-Agent": "kite-relay doctor"})
    except urllib3.exceptions.HTTPError as error:
        raise WillPassError(f"{_origin(url)} does not answer ({type(error).__name__})") from None
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Answer(answer.status, headers, answer.data[:65_536].decode("utf-8", "replace"))


def certificate_end(host: str, port: int) -> datetime:
    """Tell when a host's TLS certificate ends.

    Raises:
        WillPassError: the host does not answer.
        ConfigurationError: its certificate is not good; says why.
    """
    try:
        with (
            socket.create_connection((host, port), SECONDS) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secure,
        ):
            found = secure.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        raise ConfigurationError(f"{host}: its certificate is not good: {error.verify_message}") from None
    except OSError as error:
        raise WillPassError(f"{host}:{port} does not answer ({type(error).__name__})") from None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(found["notAfter"])), UTC)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class Patient:
    """One deployment. Whatever cannot be reached raises an error of ours, which becomes the check's result.

    Args:
        variables: gives the environment, completed from the stack; called once.
        ask: asks an address.
        certificate_end: tells when a host's certificate ends.
        now: the time.
    """

    def __init__(
        self,
        variables: Callable[[], Mapping[str, str]],
        ask: Callable[[str], Answer] = ask,
        certificate_end: Callable[[str, int], datetime] = certificate_end,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._variables = variables
        self.ask = ask
        self.certificate_end = certificate_end
        self.now = now

    @cached_property
    def variables(self) -> Mapping[str, str]:
        """What is known of the place."""
        return self._variables()

    @property
    def on_one_machine(self) -> bool:
        """Whether it lives in one machine's file; otherwise in AWS."""
        return "ENV_FILE" in self.variables

    def get(self, name: str, default: str = "") -> str:
        """Give one variable."""
        return self.variables.get(name) or default

    @property
    def api_root(self) -> str:
        """Kite's REST root."""
        return self.get("KITE_API_ROOT", KITE_API_ROOT)

    def aws(self, service: Any) -> Any:
        """Give one of AWS's clients."""
        from kite_relay.adapters.aws import make_client  # noqa: PLC0415 - one machine needs none

        return make_client(service)

    @cached_property
    def _stores(self) -> Any:
        from kite_relay.adapters.clock import SystemClock  # noqa: PLC0415 - beside the stores

        return stores(Environment(self.variables), SystemClock())

    @cached_property
    def tokens(self) -> TokenStore:
        """The token's store."""
        return self._stores.tokens()  # type: ignore[no-any-return]

    @cached_property
    def parameters(self) -> Parameters:
        """The settings."""
        return self._stores.parameters()  # type: ignore[no-any-return]

    @cached_property
    def board(self) -> StatusBoard:
        """The status board."""
        return self._stores.board()  # type: ignore[no-any-return]

    @cached_property
    def heartbeat(self) -> Heartbeat | None:
        """The worker's last heartbeat."""
        return Heartbeat.from_item(self.board.get([Heartbeat.KEY]).get(Heartbeat.KEY))
