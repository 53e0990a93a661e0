"""The access token: what it is, which one is newest, and how long it can be expected to live.

Source: https://kite.trade/docs/connect/v3/user/ ("it'll expire at 6 AM on the next day"); staff answers on the
developer forum put the real flush between 06:45 and 07:30 IST.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, timezone

IST = timezone(timedelta(hours=5, minutes=30), "IST")
EXPIRY_TIME = time(6, 0)
"""When the documentation says that a token of an earlier day dies."""
FLUSH_END = time(7, 30)
"""When the last of yesterday's tokens has been seen to be flushed."""
LOGGED_OUT = "logged-out"
"""What the store holds after a logout: deleting the parameter would start its versions, our generations, at 1 again."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """One day's key to Kite.

    Args:
        value: the secret itself; never shown by `repr`.
        generation: the version that the store gave it. It only grows, so it fences off every older token.
        written_at: when the store took it (aware).
    """

    value: str = field(repr=False)
    generation: int
    written_at: datetime

    @property
    def usable(self) -> bool:
        """Whether there is a token at all: after a logout there is a generation, but none."""
        return self.value != LOGGED_OUT


@dataclass(frozen=True, slots=True)
class TokenStamp:
    """What the store tells of a token without decrypting it."""

    generation: int
    written_at: datetime


def expected_expiry(minted_at: datetime) -> datetime:
    """Forecast when a token minted at this instant dies by the documentation: the next 06:00 IST after it."""
    local = minted_at.astimezone(IST)
    same_day = datetime.combine(local.date(), EXPIRY_TIME, IST)
    return same_day if local < same_day else same_day + timedelta(days=1)


def last_flush_end(now: datetime) -> datetime:
    """Return the latest 07:30 IST that is not after `now`: what Kite accepted after it is good for the day."""
    local = now.astimezone(IST)
    today = datetime.combine(local.date(), FLUSH_END, IST)
    return today if local >= today else today - timedelta(days=1)


def minted_in_flush_window(minted_at: datetime) -> bool:
    """Tell whether a token was minted between 06:00 and 07:30 IST, when Kite may still flush it."""
    return EXPIRY_TIME <= minted_at.astimezone(IST).time() < FLUSH_END


def parse_instant(text: str) -> datetime:
    """Read an ISO 8601 instant that must carry an offset; returns it in UTC.

    Raises:
        ValueError: no ISO 8601 instant, or one without an offset.
    """
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"an instant without an offset: {text!r}")
    return instant.astimezone(UTC)
