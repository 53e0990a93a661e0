"""Who may connect to the relay: named keys that last until they are revoked, and tickets that last a minute.

Keys are kept as hashes only: whoever reads the store learns names, not keys. A plain SHA-256 is enough, because a key
is 192 random bits and not a password that could be guessed.
"""

import hashlib
import hmac
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from kite_relay.domain.errors import ConfigurationError, MalformedError
from kite_relay.domain.token import parse_instant

PARAMETER = "relay_keys"
"""The parameter that the keys stand in."""
MOST_BYTES = 4096
"""What a parameter of SSM's standard tier holds."""
KEY_PREFIX = "kr_"
KEY_ENTROPY = 24
"""Random bytes in a key."""
DASHBOARD = "dashboard"
"""The name that the dashboard connects by; it has a ticket in place of a key."""

TICKET_PREFIX = "kt_"
TICKET_LIFE = timedelta(seconds=60)
NONCE_SIZE = 16
_EXPIRY_SIZE = 8
_MAC_SIZE = 32

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KEY_LENGTH = 33  # 62 ** 33 > 2 ** 192
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Scope(StrEnum):
    """What a key lets its holder see."""

    TICKS = "ticks"
    ORDERS = "orders"


@dataclass(frozen=True, slots=True)
class RelayKey:
    """What is kept of a key: never the key itself."""

    name: str
    sha256: str = field(repr=False)
    scopes: frozenset[Scope]
    created_at: datetime

    def to_item(self) -> dict[str, Any]:
        """Give the entry to store."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "scopes": sorted(self.scopes),
            "created_at": self.created_at.isoformat(),
        }


def make_key(entropy: bytes) -> str:
    """Write a new key from random bytes.

    Raises:
        ValueError: not exactly `KEY_ENTROPY` bytes.
    """
    if len(entropy) != KEY_ENTROPY:
        raise ValueError(f"a relay key takes {KEY_ENTROPY} random bytes, not {len(entropy)}")
    number = int.from_bytes(entropy, "big")
    digits = []
    for _ in range(_KEY_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return KEY_PREFIX + "".join(digits)


def hash_key(key: str) -> str:
    """Give what is stored of a key."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


class KeyRing:
    """All keys that are valid now. Names are unique.

    Args:
        keys: the keys, in the order in which they are listed.
    """

    def __init__(self, keys: Iterable[RelayKey] = ()) -> None:
        self.keys = tuple(keys)

    @classmethod
    def parse(cls, text: str | None) -> "KeyRing":
        """Read the parameter; None, as before the first key, is an empty ring.

        Raises:
            MalformedError: it is not what the command line writes; says where.
        """
        if text is None:
            return cls()
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise MalformedError(f"{PARAMETER} is no JSON") from error
        entries = document.get("keys") if isinstance(document, Mapping) else None
        if not isinstance(entries, list):
            raise MalformedError(f"{PARAMETER} has no list 'keys'")
        return cls(_parse_key(number, entry) for number, entry in enumerate(entries))

    def to_json(self) -> str:
        """Give the text of the parameter."""
        return json.dumps({"keys": [key.to_item() for key in self.keys]})

    def find(self, key: str) -> RelayKey | None:
        """Look a presented key up; takes the same time whichever entry it matches, or none."""
        presented = hash_key(key)
        found = None
        for known in self.keys:
            if hmac.compare_digest(known.sha256, presented):
                found = known
        return found

    def add(self, key: RelayKey) -> "KeyRing":
        """Give a ring with one more key.

        Raises:
            ConfigurationError: the name cannot be used, is taken, or the key would open nothing.
        """
        if not _NAME.fullmatch(key.name) or key.name == DASHBOARD:
            raise ConfigurationError(
                f"a key's name is up to 32 of a-z, 0-9, '_' and '-', begins with a letter or digit, "
                f"and is not '{DASHBOARD}': {key.name!r}"
            )
        if any(known.name == key.name for known in self.keys):
            raise ConfigurationError(f"a key named '{key.name}' exists: revoke it first, or choose another name")
        if not key.scopes:
            raise ConfigurationError("a key needs a scope: " + " or ".join(Scope))
        ring = KeyRing((*self.keys, key))
        if len(ring.to_json()) > MOST_BYTES:
            raise ConfigurationError(f"one key more than {len(self.keys)} does not fit: revoke one that is not used")
        return ring

    def remove(self, name: str) -> "KeyRing":
        """Give a ring without the key of this name.

        Raises:
            ConfigurationError: there is none.
        """
        left = [key for key in self.keys if key.name != name]
        if len(left) == len(self.keys):
            raise ConfigurationError(f"there is no key named '{name}'")
        return KeyRing(left)


def _parse_key(number: int, entry: Any) -> RelayKey:
    if not isinstance(entry, Mapping):
        raise MalformedError(f"{PARAMETER}: key {number} is no object")
    name, sha256, scopes = entry.get("name"), entry.get("sha256"), entry.get("scopes")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise MalformedError(f"{PARAMETER}: the name of key {number} is not valid")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise MalformedError(f"{PARAMETER}: 'sha256' of '{name}' is no hash")
    if not isinstance(scopes, list) or not scopes:
        raise MalformedError(f"{PARAMETER}: 'scopes' of '{name}' is no list of scopes")
    try:
        return RelayKey(name, sha256, frozenset(map(Scope, scopes)), parse_instant(entry.get("created_at", "")))
    except (TypeError, ValueError) as error:
        raise MalformedError(f"{PARAMETER}: '{name}': {error}") from error


class TicketError(MalformedError):
    """A ticket that must not count. The message never holds the ticket."""


def issue_ticket(key: str, now: datetime, nonce: bytes) -> str:
    """Write a dashboard ticket: good once, for a minute.

    Args:
        key: the worker's ticket key, from the status board.
        now: the time (aware).
        nonce: `NONCE_SIZE` random bytes; the relay remembers them to let a ticket in only once.

    Raises:
        ValueError: the nonce has another size, or there is no key: it would let anybody in.
    """
    if len(nonce) != NONCE_SIZE or not key:
        raise ValueError(f"a ticket takes a key and {NONCE_SIZE} random bytes")
    expiry = int((now + TICKET_LIFE).timestamp())
    payload = expiry.to_bytes(_EXPIRY_SIZE, "big") + nonce
    return TICKET_PREFIX + urlsafe_b64encode(payload + _sign(key, payload)).decode()


def check_ticket(key: str, ticket: str, now: datetime) -> bytes:
    """Check a ticket's signature and time; returns its nonce, which the caller must not have seen before.

    Raises:
        TicketError: it is malformed, not signed by this key, or too old.
    """
    try:
        raw = urlsafe_b64decode(ticket.removeprefix(TICKET_PREFIX).encode("ascii"))
    except ValueError as error:
        raise TicketError("the ticket is malformed") from error
    if not ticket.startswith(TICKET_PREFIX) or len(raw) != _EXPIRY_SIZE + NONCE_SIZE + _MAC_SIZE:
        raise TicketError("the ticket is malformed")
    payload, mac = raw[:-_MAC_SIZE], raw[-_MAC_SIZE:]
    if not key or not hmac.compare_digest(_sign(key, payload), mac):
        raise TicketError("the ticket is not signed by this worker")
    if now.timestamp() >= int.from_bytes(payload[:_EXPIRY_SIZE], "big"):
        raise TicketError("the ticket has expired")
    return payload[_EXPIRY_SIZE:]


def _sign(key: str, payload: bytes) -> bytes:
    return hmac.digest(key.encode(), b"kite-relay/ticket" + payload, hashlib.sha256)
