"""The relay's door: who is let in, by key or by ticket, and who is locked out for guessing."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.http11 import Request

from kite_relay.domain.errors import WillPassError
from kite_relay.domain.records import TicketKey
from kite_relay.domain.relay_keys import (
    DASHBOARD,
    TICKET_LIFE,
    TICKET_PREFIX,
    KeyRing,
    Scope,
    TicketError,
    check_ticket,
)
from kite_relay.ports import Clock
from worker.relay_settings import Network, RelaySettings

MINUTE = 60.0
REMEMBERED = 10_000
"""Addresses and tickets that are remembered at most: a flood must not fill the memory."""
SEEN_FOR = 600.0
"""How long guessing stays a finding."""

Look = Callable[[], Awaitable[None]]
"""Reads the keys again, if that is some time ago."""
Claim = Callable[[bytes], Awaitable[bool]]
"""Takes a ticket's nonce; tells whether it was never seen before."""


class RefusedError(Exception):
    """A handshake that is answered with no.

    Args:
        status: the HTTP status.
        sentence: why, for the client's owner.
    """

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Guest:
    """Who was let in. `sha256` is the key's hash, empty for a ticket; `stray` is a good ticket of a foreign page."""

    name: str
    scopes: frozenset[Scope]
    sha256: str = field(default="", repr=False)
    stray: bool = False


class Lock:
    """Counts wrong keys per address, and locks an address that tries too many in a minute.

    Args:
        limit: wrong keys per minute.
        clock: the time.
    """

    def __init__(self, limit: int, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self._tries: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        self.since: str | None = None
        """When the guessing that is still a finding began (ISO 8601)."""
        self._last = float("-inf")
        self._where = ""

    def locked(self, address: str) -> bool:
        """Tell whether an address is locked out."""
        began, count = self._tries.get(address, (0.0, 0))
        return count >= self._limit and self._clock.monotonic() < began + MINUTE

    def failed(self, address: str) -> None:
        """Count a wrong key."""
        now = self._clock.monotonic()
        began, count = self._tries.pop(address, (now, 0))
        if now >= began + MINUTE:
            began, count = now, 0
        self._tries[address] = began, count + 1
        if len(self._tries) > REMEMBERED:
            self._tries.popitem(last=False)
        if count + 1 >= self._limit:
            if self.finding() is None:
                self.since = self._clock.now().isoformat()
            self._last, self._where = now, address

    def welcome(self, address: str, name: str) -> None:
        """Remember that this name came with its right key from this address."""
        self._known[address, name] = None
        self._known.move_to_end((address, name))
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def knows(self, address: str, name: str) -> bool:
        """Tell whether this name came from this address before: a lock must not hit the programs beside a guesser."""
        return (address, name) in self._known

    def finding(self) -> dict[str, Any] | None:
        """Tell of guessing in the last minutes, if there was any."""
        if self._clock.monotonic() >= self._last + SEEN_FOR:
            return None
        return {
            "code": "relay_guessing",
            "since": self.since,
            "detail": f"{self._where} tried {self._limit} wrong relay keys within a minute and is locked out",
        }


class Nonces:
    """Remembers the tickets that were used, for as long as they could be used again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: OrderedDict[bytes, float] = OrderedDict()

    async def claim(self, nonce: bytes) -> bool:
        """Take a ticket's nonce; tells whether it was never seen before."""
        now = self._clock.monotonic()
        while self._seen and next(iter(self._seen.values())) <= now:
            self._seen.popitem(last=False)
        if nonce in self._seen:
            return False
        self._seen[nonce] = now + 2 * TICKET_LIFE.total_seconds()
        return True


class Door:
    """Decides about every handshake.

    Args:
        settings: limits, origins, trusted proxies.
        clock: the time.
        claim: how tickets are used up; by default this process remembers them.
        look: asked when a key is not known: it may have been made just now.
    """

    def __init__(
        self, settings: RelaySettings, clock: Clock, claim: Claim | None = None, look: Look | None = None
    ) -> None:
        self._settings = settings
        self._look = look
        self._clock = clock
        self._claim = claim or Nonces(clock).claim
        self.lock = Lock(settings.guesses, clock)
        self.ring: KeyRing | None = None
        """The keys that are valid now; None until they were read for the first time."""
        self.ticket_key = TicketKey()

    async def admit(self, request: Request, peer: str) -> Guest:
        """Let a client in by what its URL carries. The key alone says who it is; `api_key` may be anything.

        Raises:
            RefusedError: no, and why.
        """
        address = self.address(request, peer)
        query = parse_qs(urlsplit(request.path).query, max_num_fields=20)
        secret = query.get("access_token", [""])[0]
        if secret.startswith(TICKET_PREFIX):
            return await self._admit_ticket(secret, request.headers.get_all("Origin"), address)
        return await self._admit_key(secret, address)

    def address(self, request: Request, peer: str) -> str:
        """Tell whom to count a wrong key against: the proxy's word is taken if it is one of ours, nobody else's."""
        forwarded = ",".join(request.headers.get_all("X-Forwarded-For")).rsplit(",", 1)[-1].strip()
        if forwarded and within(peer, self._settings.trusted_proxies):
            peer = forwarded
        return block(peer)

    async def _admit_key(self, secret: str, address: str) -> Guest:
        locked = self.lock.locked(address)
        if self._look and not locked and not (self.ring and self.ring.find(secret)):
            await self._look()
        if self.ring is None:
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "The relay has not read its keys yet; try again.")
        key = self.ring.find(secret)
        if locked and not (key and self.lock.knows(address, key.name)):
            raise _locked()
        if key is None:
            self.lock.failed(address)
            raise RefusedError(
                HTTPStatus.FORBIDDEN,
                "This relay key is not valid. Make one with: kite-relay keys create NAME",
            )
        self.lock.welcome(address, key.name)
        return Guest(key.name, key.scopes, key.sha256)

    async def _admit_ticket(self, ticket: str, origins: list[str], address: str) -> Guest:
        if self.lock.locked(address):
            raise _locked()
        try:
            await self._use(check_ticket(self.ticket_key.key, ticket, self._clock.now()))
        except TicketError as error:
            self.lock.failed(address)
            raise RefusedError(HTTPStatus.FORBIDDEN, f"No entry: {error}. Ask for a new one.") from error
        stray = len(origins) != 1 or origins[0] not in self._settings.origins
        return Guest(DASHBOARD, frozenset({Scope.TICKS}), stray=stray)

    async def _use(self, nonce: bytes) -> None:
        try:
            unused = await self._claim(nonce)
        except WillPassError as error:
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "Tickets cannot be checked now; try again.") from error
        if not unused:
            raise TicketError("the ticket was used before")


def _locked() -> RefusedError:
    return RefusedError(HTTPStatus.TOO_MANY_REQUESTS, "Too many wrong keys from this address; wait a minute.")


def within(peer: str, networks: Iterable[Network]) -> bool:
    """Tell whether an address belongs to one of these networks."""
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    return any(address in network for network in networks)


def block(peer: str) -> str:
    """Give what to count by: an IPv4 address, or the /64 that an IPv6 user has to himself."""
    try:
        address = ip_address(peer.split("%", maxsplit=1)[0])
    except ValueError:
        return peer[:64]
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or ip_network((int(address) >> 64 << 64, 64)))
    return str(address)
