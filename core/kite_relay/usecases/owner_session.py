"""The owner's session: a random cookie whose hash stands on the board for a week. A successful login opens it."""

import hashlib
import re
from datetime import timedelta
from typing import Protocol

from kite_relay.domain.records import session_key
from kite_relay.ports import Clock, StatusBoard

COOKIE = "__Host-kr-owner"
LIFE = timedelta(days=7)
SESSION_BYTES = 32
_SESSION = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class SessionPorts(Protocol):
    """What a session needs of a deployable."""

    @property
    def clock(self) -> Clock:
        """The clocks."""
        ...

    @property
    def board(self) -> StatusBoard:
        """Where sessions stand."""
        ...


def key_of(session: str) -> str:
    """Name a session's item: the board never sees the cookie itself."""
    return session_key(hashlib.sha256(session.encode()).hexdigest())


def open_session(ports: SessionPorts, session: str, user_id: str) -> None:
    """Open a session; `session` is fresh and random (`secrets.token_urlsafe(SESSION_BYTES)`)."""
    ports.board.put(key_of(session), {"user_id": user_id}, expires_at=ports.clock.now() + LIFE)


def owner(ports: SessionPorts, session: str) -> str | None:
    """Tell whose session it is; None when it is nobody's. What cannot be a session is not looked up."""
    if not _SESSION.fullmatch(session):
        return None
    key = key_of(session)
    item = ports.board.get([key]).get(key)
    return None if item is None else str(item.get("user_id", ""))


def close_session(ports: SessionPorts, session: str) -> None:
    """Close a session."""
    ports.board.delete(key_of(session))
