"""What the relay allows, how long it waits, and the codes by which it closes."""

from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Network, IPv6Network, ip_network

Network = IPv4Network | IPv6Network
LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


class CloseCode(IntEnum):
    """Why the relay closes a connection. Each says whether coming back makes sense."""

    RESTART = 1012
    AUTH = 4001
    ORIGIN = 4003
    SLOW = 4008
    LIMIT = 4009
    PROTOCOL = 4010

    @property
    def retry(self) -> bool:
        """Whether the same client may simply connect again; otherwise somebody must change something first."""
        return self in (CloseCode.RESTART, CloseCode.SLOW)


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """The relay's limits and timings, all in seconds, bytes and whole numbers.

    Args:
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.
        share_port: let several relay processes listen on the same port; the kernel spreads clients over them.
        window: how long ticks are gathered before they are written; 0 gathers only what arrives together.
        origins: the pages that may use a dashboard ticket.
        trusted_proxies: whose `X-Forwarded-For` is believed; nobody else's is.
        instruments_per_client: as Kite allows per connection.
        clients_per_key: open connections of one key.
        clients: open connections of all keys.
        handshakes: connections that have not shown a key yet; one more pushes out the one that waits longest.
        handshakes_per_address: of these, from one address; the trusted proxies' clients are counted together only.
        handshake_timeout: how long a connection may take to show its key.
        message_size: the longest message of a client. Subscribing to 3000 instruments takes 33,000 bytes.
        message_burst: messages a client may send at once; each 1000 bytes of a message count as one more.
        message_rate: messages a client may send per second in the long run.
        send_buffer: what the kernel may hold for one client: stale ticks are worth nothing.
        send_timeout: a client that takes no byte for so long is dropped.
        close_timeout: how long a closing handshake may take.
        dead_timeout: a client whose host answers nothing any more is dropped after so long.
        heartbeat: the pause between two heartbeats.
        key_refresh: how often the keys are read; a revoked one is noticed within this time.
        look_again: an unknown key makes the relay read the keys, if none has done so for this long.
        guesses: wrong keys of one address per minute before it is locked out.
    """

    host: str = "127.0.0.1"
    port: int = 4603
    share_port: bool = False
    window: float = 0.0
    origins: frozenset[str] = frozenset()
    trusted_proxies: tuple[Network, ...] = LOOPBACK
    instruments_per_client: int = 3000
    clients_per_key: int = 20
    clients: int = 2000
    handshakes: int = 256
    handshakes_per_address: int = 32
    handshake_timeout: float = 10.0
    message_size: int = 65_536
    message_burst: int = 2000
    message_rate: float = 200.0
    send_buffer: int = 131_072
    send_timeout: float = 5.0
    close_timeout: float = 2.0
    dead_timeout: float = 30.0
    heartbeat: float = 1.0
    key_refresh: float = 30.0
    look_again: float = 5.0
    guesses: int = 10
