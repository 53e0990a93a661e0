"""What the decisions need of the world, as Protocols. Each has a fake, real adapters, and one contract suite for all.

Every method may raise `StoreUnavailableError` (`KiteUnavailableError` for `KiteSession`) when the other side is in
trouble and `ConfigurationError` when access is refused or the thing does not exist; what else it raises is said there.
All are synchronous: the worker calls them in threads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from kite_relay.domain.errors import ConfigurationError
from kite_relay.domain.events import TokenRotated
from kite_relay.domain.token import AccessToken, TokenStamp

Item = Mapping[str, Any]
"""A flat JSON object: texts, whole numbers, floats, booleans, null, lists and objects of these. Instants: ISO 8601."""


class Clock(Protocol):
    """The two clocks: the wall's, which may step, and the one that only goes forward."""

    def now(self) -> datetime:
        """Tell the wall time (aware, UTC)."""
        ...

    def monotonic(self) -> float:
        """Tell seconds since an arbitrary start."""
        ...


class TokenStore(Protocol):
    """Where the access token stands. SSM Parameter Store (SecureString), or a `.env` file."""

    @property
    def name(self) -> str:
        """The parameter's name, or the file's path: what announcements carry."""
        ...

    def read(self) -> AccessToken | None:
        """Read and decrypt the token; None when none was ever written."""
        ...

    def peek(self) -> TokenStamp | None:
        """Read generation and time without decrypting; None when none was ever written."""
        ...

    def write(self, value: str) -> int:
        """Store a new token (or `LOGGED_OUT`); returns its generation, greater than every earlier one."""
        ...


@dataclass(frozen=True, slots=True)
class Parameter:
    """A setting that stands beside the token; `version` grows with every write."""

    value: str = field(repr=False)
    version: int


class Parameters(Protocol):
    """The settings that stand beside the token, by their short names.

    Secret: `api_key`, `api_secret`, `notify_urls`. Plain: `relay_keys` (hashes only), `market_overrides`.
    """

    def read(self, name: str) -> Parameter | None:
        """Read one, decrypted if it is a secret; None when it does not exist."""
        ...

    def exists(self, name: str) -> bool:
        """Tell whether it stands there, without decrypting it."""
        ...

    def write(self, name: str, value: str, *, secret: bool) -> int:
        """Write one; returns its new version."""
        ...


def required(parameters: Parameters, name: str) -> str:
    """Read a parameter that must be there.

    Raises:
        ConfigurationError: it is not, or it is empty; says how to set it.
    """
    found = parameters.read(name)
    if found is None or not found.value.strip():
        raise ConfigurationError(f"the parameter '{name}' is not set: run `kite-relay setup`")
    return found.value.strip()


class EventBus(Protocol):
    """Announces that a new token stands in the store."""

    def announce(self, event: TokenRotated) -> None:
        """Publish the event, at least once."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery from the inbox; `receipt` is what deletes it, `receives` how often it was handed out."""

    body: str
    receipt: str = field(repr=False)
    receives: int = 1


class Inbox(Protocol):
    """The worker's queue of announcements: at least once, in any order."""

    def receive(self, wait_seconds: float) -> Sequence[Message]:
        """Wait for messages up to that long; an empty answer is normal."""
        ...

    def delete(self, message: Message) -> None:
        """Confirm a message: it will not come again."""
        ...


@dataclass(frozen=True, slots=True)
class KiteLogin:
    """What Kite's `POST /session/token` answers, as far as we use it. `minted_at` is aware."""

    access_token: str = field(repr=False)
    user_id: str
    minted_at: datetime


class KiteSession(Protocol):
    """Kite's REST side. Source: https://kite.trade/docs/connect/v3/user/."""

    def exchange(self, request_token: str) -> KiteLogin:
        """Spend the request token.

        Raises:
            LoginRefusedError: Kite says no (used, expired, wrong checksum); its message, without the token.
        """
        ...

    def profile(self, access_token: str) -> str:
        """Ask `/user/profile`; returns the user id.

        Raises:
            TokenRejectedError: Kite answered 403.
        """
        ...

    def invalidate(self, access_token: str) -> None:
        """Kill the token at Kite (`DELETE /session/token`); one that is already dead is no error."""
        ...


class StatusBoard(Protocol):
    """Small facts that the functions and the worker tell each other. DynamoDB, or a SQLite file."""

    def get(self, keys: Sequence[str]) -> Mapping[str, Item]:
        """Read several items at once, consistently; absent and outlived ones are left out."""
        ...

    def put(self, key: str, item: Item, *, expires_at: datetime | None = None) -> None:
        """Write an item whole."""
        ...

    def put_new(self, key: str, item: Item, *, expires_at: datetime | None = None) -> bool:
        """Write an item only if none stands there (an outlived one does not count); tells whether it did."""
        ...

    def append(self, key: str, entry: Item, *, expires_at: datetime | None = None) -> None:
        """Add an entry to the list `entries` of an item, making the item if need be."""
        ...

    def delete(self, key: str) -> None:
        """Remove an item; an absent one is no error."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """Which channels took a message and which failed: their names, never their addresses."""

    sent: Sequence[str] = ()
    failed: Sequence[str] = ()


class Notifier(Protocol):
    """Sends one message to the operator's phone."""

    def notify(self, title: str, body: str) -> Delivery:
        """Send through every channel; a channel that fails is told, not raised."""
        ...
