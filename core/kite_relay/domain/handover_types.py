"""What goes into the handover machine and what comes out of it; `handover.py` holds the decisions.

Instants are seconds of a monotonic clock: no step of the wall clock can reach a decision.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient the machine is. Seconds, except `connections`."""

    connections: int = 3
    """How many connections Kite allows one API key (https://kite.trade/docs/connect/v3/websocket/)."""
    liveness: float = 5.0
    """An open socket without one byte for longer is dead: Kite sends a heartbeat about every second."""
    dial_timeout: float = 10.0
    cover_deadline: float = 2.0
    """How long after its first packet a new socket may still lack some instruments of the old one."""
    calm_after: float = 10.0
    """An open socket this old forgets the failures before it: one that dies sooner keeps the backoff growing."""
    backoff_base: float = 0.5
    backoff_cap: float = 60.0
    probe_every: float = 300.0
    """The least time between two questions about one rejected token."""
    probe_retry: float = 60.0
    """When to ask again after Kite's REST side did not answer."""
    pause: float = 3.0
    """A longer gap between two ticks: the process slept, so it cannot judge who was silent meanwhile."""
    doubt: float = 30.0
    """How long the store must insist on a token that looks older than the known one before it is believed."""


@dataclass(frozen=True, slots=True)
class TokenId:
    """Which token: the store's version of it, and when it was written. `usable` is False after a logout."""

    generation: int
    written_at: datetime
    usable: bool = True

    def newer_than(self, other: "TokenId") -> bool:
        """Order two reads of one store.

        The instant decides before the version: a parameter that was deleted and written anew starts at version 1.
        """
        return (self.written_at, self.generation) > (other.written_at, other.generation)


class Phase(StrEnum):
    """Where a socket stands in its life."""

    DIALLING = "dialling"
    OPEN = "open"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class Socket:
    """One connection to Kite, on one lane (a lane carries one share of the instruments)."""

    id: int
    lane: int
    token: TokenId
    phase: Phase
    since: float
    delivered_at: float | None = None
    covered: bool = False
    before_flush: bool = False
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Retry:
    """A lane's backoff: how often it failed in a row, and when it may dial again."""

    failures: int = 0
    at: float = float("-inf")


@dataclass(frozen=True, slots=True)
class State:
    """All that the machine remembers. The first one is `State()`."""

    token: TokenId | None = None
    rejected: bool = False
    verified: bool = False
    """Whether Kite has accepted the token since it became the newest (a handshake or a probe)."""
    probing: bool = False
    probe_at: float | None = None
    """When to ask Kite about the token; None: no reason to ask."""
    reprieve: bool = False
    """Whether the running probe was asked after a rejection: only then may its yes lift it."""
    doubted: tuple[TokenId, float] | None = None
    lanes: int = 1
    retries: tuple[Retry, ...] = ()
    sockets: tuple[Socket, ...] = ()
    next_id: int = 1
    ticked_at: float | None = None
    deaf_until: float = float("-inf")
    """Silence is counted from here at the earliest: when the process last woke from a pause."""


# ---- inputs ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TokenSeen:
    """The store was read, and this stands there."""

    token: TokenId


@dataclass(frozen=True, slots=True)
class LanesWanted:
    """So many connections carry what is wanted now."""

    count: int


@dataclass(frozen=True, slots=True)
class DialOpened:
    """Kite accepted the handshake."""

    socket: int


@dataclass(frozen=True, slots=True)
class DialRejected:
    """Kite answered the handshake with 403; the socket is gone."""

    socket: int


@dataclass(frozen=True, slots=True)
class DialFailed:
    """The dial came to nothing for any other reason; the socket is gone."""

    socket: int


@dataclass(frozen=True, slots=True)
class Delivered:
    """The first packet came on a socket."""

    socket: int


@dataclass(frozen=True, slots=True)
class Covered:
    """A socket has delivered all that its predecessor was delivering (or there is nothing to deliver)."""

    socket: int


@dataclass(frozen=True, slots=True)
class Closed:
    """A socket is gone: Kite closed it, the network did, or we did."""

    socket: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Time went by; `heard` tells when the last byte came on each socket."""

    heard: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProbeAccepted:
    """Kite's REST side knows the token."""

    token: TokenId


@dataclass(frozen=True, slots=True)
class ProbeRejected:
    """Kite's REST side answered 403."""

    token: TokenId


@dataclass(frozen=True, slots=True)
class ProbeFailed:
    """Kite's REST side did not answer."""

    token: TokenId


@dataclass(frozen=True, slots=True)
class FlushPassed:
    """The morning's flush window has ended: what opened before it proves nothing any more."""


Input = (
    TokenSeen
    | LanesWanted
    | DialOpened
    | DialRejected
    | DialFailed
    | Delivered
    | Covered
    | Closed
    | Tick
    | ProbeAccepted
    | ProbeRejected
    | ProbeFailed
    | FlushPassed
)

# ---- commands -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dial:
    """Open a connection for a lane with this token."""

    socket: int
    lane: int
    token: TokenId


@dataclass(frozen=True, slots=True)
class Restore:
    """Subscribe to everything the lane carries, in its modes."""

    socket: int


@dataclass(frozen=True, slots=True)
class Promote:
    """The new socket carries the lane from now on."""

    socket: int
    old: int


@dataclass(frozen=True, slots=True)
class Close:
    """End a connection; `abort` when the other side cannot be expected to answer."""

    socket: int
    abort: bool = False


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask Kite's REST side whether it knows the token."""

    token: TokenId


class What(StrEnum):
    """What a `Report` tells."""

    ADOPTED = "adopted"
    REJECTED = "rejected"
    FORBIDDEN = "forbidden"
    """Kite's REST side knows the token, but its ticker refuses it: a plan without market data, or another app's key."""
    VERIFIED = "verified"
    SILENT = "silent"
    LOST = "lost"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Report:
    """Something that people want to know: for the log, the timeline and the metrics."""

    what: What
    token: TokenId
    socket: int | None = None
    lane: int | None = None


Command = Dial | Restore | Promote | Close | Probe | Report
