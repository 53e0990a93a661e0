"""The cookies of a login: one for each attempt, and the owner's.

`__Host-` makes the browser insist on Secure, Path=/ and no Domain: no neighbour can plant one.
"""

from collections.abc import Iterable

from aws_lambda_powertools.shared.cookies import Cookie, SameSite

from kite_relay.domain.login import CLAIM_LIFE, is_attempt_id
from kite_relay.usecases.owner_session import COOKIE as OWNER
from kite_relay.usecases.owner_session import LIFE

PREFIX = "__Host-kr-"
MAX_ATTEMPTS = 8
"""More open tabs than anyone has; the oldest beyond them are given up, so that no header grows too long."""


def read(cookies: Iterable[str]) -> dict[str, str]:
    """Read the request's cookies of ours; the first of a name counts."""
    found: dict[str, str] = {}
    for cookie in cookies:
        name, _, value = cookie.strip().partition("=")
        if name.startswith(PREFIX):
            found.setdefault(name, value)
    return found


def bindings(cookies: Iterable[str]) -> dict[str, str]:
    """Give attempt id -> binding, oldest first, as browsers send them."""
    ours = {name.removeprefix(PREFIX): value for name, value in read(cookies).items()}
    return {name: value for name, value in ours.items() if is_attempt_id(name)}


def attempt_cookie(attempt_id: str, binding: str) -> Cookie:
    """Bind an attempt to the browser."""
    return _cookie(PREFIX + attempt_id, binding, int(CLAIM_LIFE.total_seconds()))


def owner_cookie(session: str) -> Cookie:
    """Hand over the owner's session."""
    return _cookie(OWNER, session, int(LIFE.total_seconds()))


def forget(names: Iterable[str]) -> list[Cookie]:
    """Take cookies back."""
    return [_cookie(name, "", 0) for name in names]


def surplus(cookies: Iterable[str]) -> list[Cookie]:
    """Take back the oldest attempts' cookies, so that with a new one there are not too many."""
    names = [PREFIX + attempt_id for attempt_id in bindings(cookies)]
    return forget(names[: max(0, len(names) - MAX_ATTEMPTS + 1)])


def _cookie(name: str, value: str, max_age: int) -> Cookie:
    return Cookie(
        name=name,
        value=value,
        path="/",
        secure=True,
        http_only=True,
        same_site=SameSite.LAX_MODE,
        max_age=max_age,
    )
