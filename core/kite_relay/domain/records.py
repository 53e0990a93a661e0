"""What stands on the status board: one dataclass per key, and how it becomes an item and comes back.

Never a token, a secret or a state. Readers are lenient (an absent or broken field is None): the other side
may be of another version.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, date, datetime
from typing import Any, Self

from kite_relay.domain.token import parse_instant

_CONSEQUENCE = 3
_STEPS = {"login": 0, "logout": 0, "cli": 0, "stored": 1, "announced": 2}
"""What comes first of a timeline's entries of one time; all that is not named here is a consequence of these."""


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


@dataclass(frozen=True, slots=True)
class Record:
    """Base: fields whose names end in `_at` are instants, all others are plain JSON."""

    def to_item(self) -> dict[str, Any]:
        """Give the item to store."""
        return {key: _plain(value) for key, value in asdict(self).items()}

    @classmethod
    def from_item(cls, item: Mapping[str, Any] | None) -> Self | None:
        """Read an item back; None when there is none."""
        if item is None:
            return None
        values: dict[str, Any] = {}
        for known in fields(cls):
            value = item.get(known.name)
            if value is None:
                continue
            if known.name.endswith("_at"):
                try:
                    value = parse_instant(value)
                except (TypeError, ValueError):
                    continue
            values[known.name] = value
        return cls(**values)


@dataclass(frozen=True, slots=True)
class TokenRecord(Record):
    """Key `token`: what the last writer of the token tells of it. Written by login, logout and the CLI."""

    KEY = "token"

    generation: int = 0
    user_id: str = ""
    minted_at: datetime | None = None
    stored_at: datetime | None = None
    announced_at: datetime | None = None
    token_length: int = 0
    source: str = ""


@dataclass(frozen=True, slots=True)
class TokenCheck(Record):
    """Key `token_check`: what Kite last said of a generation. Written by the worker only."""

    KEY = "token_check"

    generation: int = 0
    verified_at: datetime | None = None
    rejected_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Heartbeat(Record):
    """Key `worker`: what the worker says of itself, every 10 seconds and at every change. Written by the worker only.

    `clients` is a list of {name, connections, connected_at, dropped, conflated}; `findings` of {code, since, detail}.
    """

    KEY = "worker"

    heartbeat_at: datetime | None = None
    started_at: datetime | None = None
    version: str = ""
    generation: int = 0
    connected: bool = False
    connected_at: datetime | None = None
    last_frame_at: datetime | None = None
    last_tick_at: datetime | None = None
    subscriptions: int = 0
    clients: list[dict[str, Any]] = field(default_factory=list)
    redis: str = "not_configured"
    clock_skew_seconds: float | None = None
    findings: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TicketKey(Record):
    """Key `ticket_key`: what status signs the dashboard's tickets with; made anew by every worker start.

    It opens nothing but the relay's ticks, for 60 seconds at a time. It stands here and not in the parameter store
    because status has no right to decrypt.
    """

    KEY = "ticket_key"

    key: str = field(default="", repr=False)
    made_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Notifications(Record):
    """Key `notify`: how the last message to the operator went. Written by the reminder only.

    `failed` names the channels that did not take it, never their addresses; empty when all did.
    """

    KEY = "notify"

    failed: list[str] = field(default_factory=list)
    failed_at: datetime | None = None
    sent_at: datetime | None = None


def nudge_key(reason: str) -> str:
    """Name the marker of one message that was sent: {sent_at}; `reason` begins with its day."""
    return f"nudge#{reason}"


def login_key(attempt_id: str) -> str:
    """Name the item of one login attempt: {outcome}; lives as long as its state."""
    return f"login#{attempt_id}"


def session_key(session_hash: str) -> str:
    """Name the item of an owner's session: {user_id}."""
    return f"session#{session_hash}"


def timeline_key(day: date) -> str:
    """Name the item of one day's timeline (IST): entries of {at, what, generation, ...}."""
    return f"timeline#{day.isoformat()}"


def in_order(entries: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Sort a day's timeline by time: login and worker write it independently of each other.

    Their clocks may differ: what became of a token comes after it was stored, whatever the worker's clock said. What
    has no time comes first.
    """
    known = [(_at(entry), entry) for entry in entries]
    stored = {entry.get("generation"): at for at, entry in known if entry.get("what") == "stored"}

    def place(timed: tuple[datetime, Mapping[str, Any]]) -> tuple[datetime, int]:
        at, entry = timed
        step = _STEPS.get(str(entry.get("what")), _CONSEQUENCE)
        return (at if step < _CONSEQUENCE else max(at, stored.get(entry.get("generation"), at))), step

    return [entry for _, entry in sorted(known, key=place)]


def _at(entry: Mapping[str, Any]) -> datetime:
    try:
        return parse_instant(str(entry.get("at")))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def change_key(name: str) -> str:
    """Name the mark of a command that is changing a setting: an empty item, for a minute at most."""
    return f"change#{name}"
