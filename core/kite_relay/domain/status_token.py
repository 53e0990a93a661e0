"""Is the token good? What the store, the board and the clock tell together, without ever seeing the token.

The forecast: a token dies at 06:00 IST of the next morning by the documentation, and is seen to be flushed up to 07:30.
The truth: what Kite last answered. Facts about another generation than the one in the store do not count.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from kite_relay.domain.records import TokenCheck, TokenRecord
from kite_relay.domain.token import (
    FLUSH_END,
    IST,
    TokenStamp,
    expected_expiry,
    minted_in_flush_window,
)

LOGOUT = "logout"
"""The `source` of a record that says: there is a generation, but no token."""


class TokenStatus(StrEnum):
    """The five answers. Only VALID is a promise."""

    VALID = "VALID"
    SUSPECT = "SUSPECT"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    MISSING = "MISSING"


class Doubt(StrEnum):
    """Why a token is SUSPECT."""

    FLUSH_WINDOW = "flush_window"
    """Minted between 06:00 and 07:30, and Kite has not been seen to accept it since."""
    PAST_EXPIRY = "past_expiry"
    """It is between 06:00 and 07:30: the documentation calls it dead, Kite may not have flushed it yet."""
    UNKNOWN_AGE = "unknown_age"
    """Nobody noted when Kite issued it (it was put by hand), and Kite has not been seen to accept it."""
    UNREADABLE = "unreadable"
    """The store or the board did not answer, so that nothing can be said for certain."""


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What is known of the token.

    Args:
        stamp: what the store tells; None when no token was ever written.
        record: what the last writer told the board.
        check: what Kite last said, told by the worker.
        store_answered: False when the store could not be asked (`stamp` is then None and means nothing).
        board_answered: False when the board could not be asked (`record` and `check` then mean nothing).
    """

    stamp: TokenStamp | None = None
    record: TokenRecord | None = None
    check: TokenCheck | None = None
    store_answered: bool = True
    board_answered: bool = True


@dataclass(frozen=True, slots=True)
class TokenView:
    """The answer.

    Args:
        status: one of the five.
        generation: the generation it is about; 0 when none was ever written.
        minted_at: when Kite issued it, as far as anybody noted.
        since: since when this generation stands in the store.
        length: the token's length; 0 when absent, or put by hand so that nobody noted it.
        expires_at: the forecast; None when there is no token.
        verified_at: when Kite last accepted it; None when never seen.
        announced: whether its writer could announce it to the worker.
        doubt: why it is SUSPECT.
        logged_out: MISSING because of a logout.
    """

    status: TokenStatus
    generation: int = 0
    minted_at: datetime | None = None
    since: datetime | None = None
    length: int = 0
    expires_at: datetime | None = None
    verified_at: datetime | None = None
    announced: bool = True
    doubt: Doubt | None = None
    logged_out: bool = False

    @property
    def present(self) -> bool:
        """Whether there is a token at all."""
        return self.status is not TokenStatus.MISSING

    @property
    def likely_valid(self) -> bool:
        """Whether Kite can be expected to take it now."""
        return self.status is TokenStatus.VALID


def settled_at(minted_at: datetime) -> datetime:
    """Return the first 07:30 IST after the minting: whoever is accepted from then on outlived the morning's flush."""
    local = minted_at.astimezone(IST)
    same_day = datetime.combine(local.date(), FLUSH_END, IST)
    return same_day if local < same_day else same_day + timedelta(days=1)


def judge_token(facts: TokenFacts, now: datetime) -> TokenView:
    """Say how the token in the store is."""
    stamp = _stamp(facts)
    if stamp is None and not facts.store_answered:
        return TokenView(TokenStatus.SUSPECT, doubt=Doubt.UNREADABLE)
    if stamp is None:
        return TokenView(TokenStatus.MISSING)
    record = facts.record if facts.record and facts.record.generation == stamp.generation else None
    if record and record.source == LOGOUT:
        return TokenView(TokenStatus.MISSING, stamp.generation, since=stamp.written_at, logged_out=True)
    check = facts.check if facts.check and facts.check.generation == stamp.generation else None
    minted_at = record.minted_at if record else None
    verified_at = check.verified_at if check else None
    rejected_at = check.rejected_at if check else None
    status, expires_at, doubt = _weigh(stamp.written_at, minted_at, verified_at, rejected_at, now)
    if status is TokenStatus.VALID and not (facts.store_answered and facts.board_answered):
        status, doubt = TokenStatus.SUSPECT, Doubt.UNREADABLE
    return TokenView(
        status=status,
        generation=stamp.generation,
        minted_at=minted_at,
        since=stamp.written_at,
        length=record.token_length if record else 0,
        expires_at=expires_at,
        verified_at=verified_at,
        announced=record is None or record.announced_at is not None,
        doubt=doubt if facts.board_answered else (doubt and Doubt.UNREADABLE),
    )


def _stamp(facts: TokenFacts) -> TokenStamp | None:
    """Take the store's word; while it is silent, what the last writer told the board is the best there is."""
    if facts.store_answered:
        return facts.stamp
    record = facts.record if facts.board_answered else None
    written_at = record and (record.stored_at or record.minted_at)
    return TokenStamp(record.generation, written_at) if record and written_at else None


def _weigh(
    written_at: datetime,
    minted_at: datetime | None,
    verified_at: datetime | None,
    rejected_at: datetime | None,
    now: datetime,
) -> tuple[TokenStatus, datetime, Doubt | None]:
    """Weigh Kite's answers first, then the clock. Returns status, forecast of the end, and the doubt."""
    anchor = minted_at or written_at
    if verified_at and (minted_at is None or verified_at >= settled_at(minted_at)):
        anchor = verified_at  # Kite's word is newer than any guess: whatever it accepted lives to the next morning
    expires_at = expected_expiry(anchor)
    if rejected_at and (verified_at is None or rejected_at >= verified_at):
        return TokenStatus.REJECTED, expires_at, None
    if now >= datetime.combine(expires_at.date(), FLUSH_END, IST):
        return TokenStatus.EXPIRED, expires_at, None
    if now >= expires_at:
        return TokenStatus.SUSPECT, expires_at, Doubt.PAST_EXPIRY
    if minted_in_flush_window(anchor):
        return TokenStatus.SUSPECT, expires_at, Doubt.FLUSH_WINDOW
    if minted_at is None and verified_at is None:
        return TokenStatus.SUSPECT, expires_at, Doubt.UNKNOWN_AGE
    return TokenStatus.VALID, expires_at, None
