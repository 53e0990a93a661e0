"""Logins as Kite has them: one use, five minutes, a true checksum, and the morning flush."""

import hashlib
from datetime import datetime, time

import pytest

from tools.simulator.accounts import Accounts, RefusedError
from tools.simulator.clock import IST, Clock

KEY, SECRET = "key", "secret"


def accounts(at: str = "2026-11-24T08:47", flush_at: time | None = None, seed: int = 1) -> tuple[Accounts, Clock]:
    """Make accounts whose clock stands still."""
    clock = Clock(datetime.fromisoformat(at).replace(tzinfo=IST))
    return Accounts(KEY, SECRET, clock, seed, flush_at), clock


def checksum(request_token: str, secret: str = SECRET) -> str:
    """Prove the knowledge of the secret."""
    return hashlib.sha256(f"{KEY}{request_token}{secret}".encode()).hexdigest()


def test_a_request_token_is_spent_once() -> None:
    """The second exchange is refused in Kite's words."""
    app, _ = accounts()
    token = app.log_in("AB1234")
    session = app.exchange(KEY, token, checksum(token))
    assert (session.user_id, session.generation) == ("AB1234", 1)
    with pytest.raises(RefusedError, match=r"^Token is invalid or has expired\.$") as refusal:
        app.exchange(KEY, token, checksum(token))
    assert (refusal.value.status, refusal.value.kind) == (403, "TokenException")


@pytest.mark.parametrize(("age", "taken"), [(299, True), (300, False)])
def test_a_request_token_lives_five_minutes(age: float, *, taken: bool) -> None:
    """Not one second longer."""
    app, clock = accounts()
    token = app.log_in("AB1234")
    clock.advance(age)
    if taken:
        app.exchange(KEY, token, checksum(token))
    else:
        with pytest.raises(RefusedError, match="expired"):
            app.exchange(KEY, token, checksum(token))


def test_a_wrong_checksum_spends_nothing() -> None:
    """The right one is taken after it."""
    app, _ = accounts()
    token = app.log_in("AB1234")
    with pytest.raises(RefusedError, match=r"^Invalid `checksum`\.$"):
        app.exchange(KEY, token, checksum(token, "guess"))
    app.exchange(KEY, token, checksum(token))


def test_another_app_is_refused() -> None:
    """Its key is not registered here."""
    app, _ = accounts()
    token = app.log_in("AB1234")
    with pytest.raises(RefusedError, match="api_key"):
        app.exchange("other", token, checksum(token))


def test_the_newest_login_wins_per_user() -> None:
    """The same user's older token is dead, another user's is not."""
    app, _ = accounts()
    first, other, second = app.mint("AB1234"), app.mint("XY9876"), app.mint("AB1234")
    assert [app.is_alive(session) for session in (first, other, second)] == [False, True, True]
    with pytest.raises(RefusedError, match=r"^Incorrect `api_key` or `access_token`\.$"):
        app.check(KEY, first.token)
    assert app.check(KEY, second.token) is second


@pytest.mark.parametrize(
    ("minted", "hours", "alive"),
    [("08:47", 22.3, True), ("08:47", 22.5, False), ("07:09", 0.1, False), ("07:10", 23.9, True)],
)
def test_the_flush_kills_what_was_minted_before_it(minted: str, hours: float, *, alive: bool) -> None:
    """A token minted before 07:10 does not see 07:10 pass; one minted then lives for a day."""
    app, clock = accounts(f"2026-11-24T{minted}", time(7, 10))
    session = app.mint("AB1234")
    clock.advance(hours * 3600)
    assert app.is_alive(session) is alive


def test_tokens_follow_the_seed_and_do_not_show() -> None:
    """The same seed, the same tokens; and no token in a repr."""
    (one, _), (two, _), (other, _) = accounts(), accounts(), accounts(seed=2)
    sessions = [app.mint("AB1234") for app in (one, two, other)]
    assert sessions[0].token == sessions[1].token != sessions[2].token
    assert sessions[0].token not in repr(sessions[0])
