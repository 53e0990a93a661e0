"""Connections that have not shown a key yet: few in all, fewer from one address, and who waits longest goes first.

Turning the newest away instead would let a few hundred slow handshakes shut the door for everybody.
"""

from collections.abc import Iterator
from http import HTTPStatus

from worker.relay_client import Client
from worker.relay_door import RefusedError, block, within
from worker.relay_settings import RelaySettings

_TOO_MANY = RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections have shown no key yet; try again.")
_TOO_MANY_OF_ONE = RefusedError(
    HTTPStatus.TOO_MANY_REQUESTS, "Too many connections from this address have shown no key yet."
)


class Strangers:
    """Holds them.

    Args:
        settings: how many there may be, and which proxies' clients share an address.
    """

    def __init__(self, settings: RelaySettings) -> None:
        self._settings = settings
        self._all: dict[Client, str] = {}
        self._by_address: dict[str, dict[Client, None]] = {}

    def __iter__(self) -> Iterator[Client]:
        return iter(tuple(self._all))

    def add(self, client: Client, peer: str) -> tuple[Client, RefusedError] | None:
        """Take one more; gives who must go for it, and why.

        A proxy of ours is no address: all its clients come from there, and it shows us nobody before his whole request.
        """
        gone = None
        address = "" if within(peer, self._settings.trusted_proxies) else block(peer)
        same = self._by_address.get(address, {})
        if address and len(same) >= self._settings.handshakes_per_address:
            gone = next(iter(same)), _TOO_MANY_OF_ONE
        elif len(self._all) >= self._settings.handshakes:
            gone = next(iter(self._all)), _TOO_MANY
        if gone:
            self.discard(gone[0])
        self._all[client] = address
        self._by_address.setdefault(address, {})[client] = None
        return gone

    def discard(self, client: Client) -> None:
        """Forget one: it has shown its key, or is gone; an unknown one is no error."""
        address = self._all.pop(client, None)
        if address is not None:
            same = self._by_address[address]
            del same[client]
            if not same:
                del self._by_address[address]
