"""Who has logged in: request tokens, access tokens, and when they die. Knows no socket.

Sources: https://kite.trade/docs/connect/v3/user/ (checksum, one use, 06:00); staff answers on the developer forum
(request token: 5 minutes; flush of all tokens between 06:45 and 07:30; a newer login ends the older token).
"""

import hashlib
import hmac
import random
import string
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from tools.simulator.clock import Clock

REQUEST_TOKEN_LIFE = 300.0
"""Seconds."""
_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 32


class RefusedError(Exception):
    """Kite says no.

    Args:
        status: of the HTTP answer.
        kind: Kite's name for the error, such as TokenException.
        message: Kite's words.
    """

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


@dataclass(slots=True)
class Session:
    """One access token; the newest session of an app has the greatest generation."""

    token: str = field(repr=False)
    user_id: str
    generation: int
    minted_at: datetime
    killed: bool = False

    @property
    def fingerprint(self) -> str:
        """What the state shows instead of the token."""
        return hashlib.sha256(self.token.encode()).hexdigest()[:8]


class Accounts:
    """The app's registration and all its sessions.

    Args:
        api_key: the app's key.
        api_secret: the app's secret.
        clock: what time it is.
        seed: decides every token.
        flush_at: when, every day (IST), all tokens minted before are dead; None: never by themselves.
    """

    def __init__(self, api_key: str, api_secret: str, clock: Clock, seed: int, flush_at: time | None = None) -> None:
        self.api_key = api_key
        self.api_secret = api_secret
        self.flush_at = flush_at
        self.sessions: list[Session] = []
        self._clock = clock
        self._dice = random.Random(seed)  # noqa: S311 - the same tokens for the same seed is the point
        self._requests: dict[str, tuple[str, float]] = {}

    def log_in(self, user_id: str) -> str:
        """Issue a request token, as the login page does."""
        token = self._secret()
        self._requests[token] = user_id, self._clock.epoch() + REQUEST_TOKEN_LIFE
        return token

    def exchange(self, api_key: str, request_token: str, checksum: str) -> Session:
        """Spend a request token.

        Raises:
            RefusedError: what Kite answers to a wrong key, checksum or token.
        """
        if api_key != self.api_key:
            raise RefusedError(403, "TokenException", "Invalid `api_key`.")
        proof = hashlib.sha256(f"{api_key}{request_token}{self.api_secret}".encode()).hexdigest()
        if not hmac.compare_digest(proof.encode(), checksum.encode()):
            raise RefusedError(403, "TokenException", "Invalid `checksum`.")
        user_id, dies_at = self._requests.pop(request_token, ("", 0.0))
        if dies_at <= self._clock.epoch():
            raise RefusedError(403, "TokenException", "Token is invalid or has expired.")
        return self.mint(user_id)

    def mint(self, user_id: str) -> Session:
        """Issue an access token; the user's earlier ones are dead from now on."""
        for session in self.sessions:
            session.killed |= session.user_id == user_id
        session = Session(self._secret(), user_id, len(self.sessions) + 1, self._clock.now())
        self.sessions.append(session)
        return session

    def find(self, api_key: str, token: str) -> Session | None:
        """Find the session of a token, dead or alive."""
        if api_key != self.api_key:
            return None
        return next((session for session in reversed(self.sessions) if session.token == token), None)

    def check(self, api_key: str, token: str) -> Session:
        """Find the living session of a token.

        Raises:
            RefusedError: there is none.
        """
        session = self.find(api_key, token)
        if session is None or not self.is_alive(session):
            raise RefusedError(403, "TokenException", "Incorrect `api_key` or `access_token`.")
        return session

    def is_alive(self, session: Session) -> bool:
        """Tell whether Kite still takes its token."""
        return not session.killed and session.minted_at >= self._last_flush()

    def kill_all(self) -> list[Session]:
        """Kill every session; returns those that were alive."""
        killed = [session for session in self.sessions if self.is_alive(session)]
        for session in killed:
            session.killed = True
        return killed

    def _last_flush(self) -> datetime:
        now = self._clock.now()
        if self.flush_at is None:
            return now - timedelta(days=36500)
        today = datetime.combine(now.date(), self.flush_at, now.tzinfo)
        return today if now >= today else today - timedelta(days=1)

    def _secret(self) -> str:
        return "".join(self._dice.choices(_ALPHABET, k=_LENGTH))
