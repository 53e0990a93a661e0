"""The login at Zerodha: a state that only we can issue, a binding to one browser tab, and who may log in.

The state travels to Zerodha and back in the URL; its binding stays in the browser, in a cookie of the attempt's own, so
that several tabs do not disturb each other. Who has one without the other can do nothing. Both are checked before the
request token is spent.

Sources: RFC 9700 section 4.7 (state against CSRF); https://kite.trade/docs/connect/v3/user/ (the redirect and its
`redirect_params`).
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs, urlencode

from kite_relay.domain.token import parse_instant

STATE_LIFE = timedelta(minutes=10)
CLAIM_LIFE = timedelta(minutes=30)
"""How long an attempt's outcome can be seen; longer than any state lives, so that no state can be claimed twice."""
WORKING_LIFE = timedelta(seconds=45)
"""Nothing works on a login for longer than a function may run; then it was cut off."""
CLOCK_SKEW = timedelta(minutes=1)
"""How far in the future another machine of ours may have issued a state."""
ENTROPY_BYTES = 48
"""16 for the attempt's id, 32 for the browser's binding."""
LONGEST_QUERY = 2048
_ID_BYTES = 16
_ATTEMPT = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)
_STATE = re.compile(r"v1\.([A-Za-z0-9_-]{22})\.([0-9]{1,12})\.[A-Za-z0-9_-]{43}", re.ASCII)
_REQUEST_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,128}", re.ASCII)
_USER_ID = re.compile(r"[A-Z0-9]{2,12}", re.ASCII)


class Outcome(StrEnum):
    """How an attempt ended, or stands."""

    WORKING = "working"
    ANNOUNCED = "announced"
    UNANNOUNCED = "unannounced"
    WRONG_USER = "wrong_user"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    STORE_FAILED = "store_failed"

    @property
    def stored(self) -> bool:
        """Whether the token stands in the store: only then may a page speak of success."""
        return self in (Outcome.ANNOUNCED, Outcome.UNANNOUNCED)


class Refusal(StrEnum):
    """Why a state does not count. For the log; the visitor is told one thing for all of them."""

    MISSING = "missing"
    MALFORMED = "malformed"
    OTHER_BROWSER = "other_browser"
    FORGED = "forged"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One login, begun in one browser tab: `state` goes to Zerodha, `binding` into the tab's cookie."""

    attempt_id: str
    state: str = field(repr=False)
    binding: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What Zerodha's redirect carries. A parameter that is there twice counts as absent: nobody honest sends it."""

    action: str
    status: str
    request_token: str = field(repr=False)
    state: str = field(repr=False)

    @property
    def cancelled(self) -> bool:
        """Whether the user did not log in after all."""
        return self.status != "success" or self.action != "login"

    @property
    def usable(self) -> bool:
        """Whether the request token looks like one."""
        return bool(_REQUEST_TOKEN.fullmatch(self.request_token))


def state_key(api_secret: str) -> bytes:
    """Derive the key that signs states: whoever may exchange may issue, and nobody else."""
    return hmac.digest(api_secret.encode(), b"kite-relay/login-state", hashlib.sha256)


def issue(key: bytes, now: datetime, entropy: bytes) -> Attempt:
    """Begin a login.

    Args:
        key: from `state_key`.
        now: the instant of issue.
        entropy: `ENTROPY_BYTES` random bytes.

    Raises:
        ValueError: the entropy is too short.
    """
    if len(entropy) < ENTROPY_BYTES:
        raise ValueError(f"a login needs {ENTROPY_BYTES} random bytes")
    attempt_id, binding = _base64(entropy[:_ID_BYTES]), _base64(entropy[_ID_BYTES:ENTROPY_BYTES])
    return Attempt(attempt_id, _sign(key, attempt_id, int(now.timestamp()), binding), binding)


def check(key: bytes, now: datetime, state: str, bindings: Mapping[str, str]) -> str | Refusal:
    """Check a state that came back.

    Args:
        key: from `state_key`.
        now: the instant of return.
        state: as the redirect carries it.
        bindings: of the browser's cookies: attempt id -> binding.

    Returns:
        The attempt's id, or why it does not count.
    """
    if not state:
        return Refusal.MISSING
    match = _STATE.fullmatch(state)
    if not match:
        return Refusal.MALFORMED
    attempt_id, issued_at = match[1], int(match[2])
    binding = bindings.get(attempt_id)
    if not binding:
        return Refusal.OTHER_BROWSER
    if not hmac.compare_digest(state.encode(), _sign(key, attempt_id, issued_at, binding).encode()):
        return Refusal.FORGED
    age = timedelta(seconds=now.timestamp() - issued_at)
    return attempt_id if -CLOCK_SKEW <= age <= STATE_LIFE else Refusal.EXPIRED


def outcome_of(item: Mapping[str, Any], now: datetime) -> Outcome:
    """Read an attempt's outcome from its item; one that was cut off counts as not stored."""
    outcome = Outcome(item["outcome"])
    claimed_at = item.get("claimed_at")
    cut_off = claimed_at is not None and now - parse_instant(claimed_at) > WORKING_LIFE
    return Outcome.STORE_FAILED if outcome is Outcome.WORKING and cut_off else outcome


def is_attempt_id(text: str) -> bool:
    """Tell whether a text can be an attempt's id."""
    return bool(_ATTEMPT.fullmatch(text))


def binding_hash(binding: str) -> str:
    """Hash a binding for the board: who reads the board learns no cookie."""
    return hashlib.sha256(binding.encode()).hexdigest()


def seal_outcome(key: bytes, attempt_id: str, outcome: Outcome) -> str:
    """Sign an outcome, so that it can travel in the result page's URL while the board is out of order."""
    mac = _base64(hmac.digest(key, f"outcome|{attempt_id}|{outcome}".encode(), hashlib.sha256))
    return f"{outcome}.{mac}"


def open_outcome(key: bytes, attempt_id: str, sealed: str) -> Outcome | None:
    """Read a signed outcome; None when it is not ours."""
    known = {seal_outcome(key, attempt_id, outcome): outcome for outcome in Outcome}
    matches = [known[ours] for ours in known if hmac.compare_digest(ours.encode(), sealed.encode())]
    return matches[0] if matches else None


def login_url(root: str, api_key: str, state: str) -> str:
    """Build the address of Zerodha's login page. `redirect_params` comes back as part of the redirect's query."""
    query = {"v": "3", "api_key": api_key, "redirect_params": urlencode({"state": state})}
    return f"{root}/connect/login?{urlencode(query)}"


def read_answer(query: str) -> Answer:
    """Read the redirect's query string; one that is too long counts as empty."""
    found = parse_qs(query) if len(query) <= LONGEST_QUERY else {}
    single = {name: values[0] for name, values in found.items() if len(values) == 1}
    return Answer(*(single.get(name, "") for name in ("action", "status", "request_token", "state")))


def is_allowed(user_id: str, allowed: Iterable[str]) -> bool:
    """Tell whether this very user may log in: byte for byte, so no other case or look-alike letter passes."""
    if not _USER_ID.fullmatch(user_id):
        return False
    return any([hmac.compare_digest(user_id.encode(), one.encode()) for one in allowed])  # noqa: C419 - no early exit


def _sign(key: bytes, attempt_id: str, issued_at: int, binding: str) -> str:
    text = f"v1.{attempt_id}.{issued_at}"
    return f"{text}.{_base64(hmac.digest(key, f'{text}|{binding}'.encode(), hashlib.sha256))}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
