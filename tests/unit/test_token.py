"""When Kite's morning flush is over."""

from datetime import UTC, datetime, timedelta

import pytest

from kite_relay.domain.token import IST, last_flush_end

TODAY = datetime(2026, 11, 24, 7, 30, tzinfo=IST)
A_DAY = timedelta(days=1)
A_MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("now", "answer"),
    [
        (TODAY - A_MOMENT, TODAY - A_DAY),
        (TODAY, TODAY),
        (TODAY + A_DAY - A_MOMENT, TODAY),
        (datetime(2026, 11, 24, 1, 59, tzinfo=UTC), TODAY - A_DAY),
        (datetime(2026, 11, 23, 20, 0, tzinfo=UTC), TODAY - A_DAY),
    ],
)
def test_the_last_flush_ended_at_half_past_seven_in_india(now: datetime, answer: datetime) -> None:
    """At that instant it has ended; wherever the clock stands that is asked."""
    assert last_flush_end(now) == answer
