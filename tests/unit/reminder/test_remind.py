"""A morning, look by look: what the phone hears, and never twice."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from kite_relay.adapters.calendar import load_calendar
from kite_relay.domain.errors import StoreUnavailableError
from kite_relay.domain.nudge import QuietHours
from kite_relay.domain.records import Heartbeat, Notifications, TokenRecord, nudge_key, timeline_key
from kite_relay.usecases.remind import Remind
from tests.fakes.notify import FakeNotifier
from tests.fakes.stores import FakeStatusBoard, FakeTokenStore
from tests.fakes.trouble import FakeClock

LINK = "https://kite.example.com/login"


def at(text: str) -> datetime:
    """Read an instant of 2026-11-25, a trading day, in India's time."""
    return datetime.fromisoformat(f"2026-11-25T{text}+05:30").astimezone(UTC)


class Morning:
    """The world of a reminder, and a clock to move."""

    def __init__(self, start: str = "07:50", quiet: str = "22:00-07:00") -> None:
        self.clock = FakeClock(at(start))
        self.board = FakeStatusBoard(self.clock)
        self.tokens = FakeTokenStore(self.clock)
        self.notifier = FakeNotifier("tgram 1", "sns")
        self.made = 0
        self.remind = Remind(
            self.tokens, self.board, self.clock, lambda _: load_calendar(), self._make, LINK, QuietHours.parse(quiet)
        )

    def _make(self) -> FakeNotifier:
        self.made += 1
        return self.notifier

    def look_until(self, end: str) -> list[str]:
        """Look every two minutes until then; gives the titles that were sent meanwhile."""
        before = len(self.notifier.sent)
        while self.clock.now() < at(end):
            self.remind()
            self.clock.advance(120)
        return [title for title, _ in self.notifier.sent[before:]]

    def log_in(self) -> int:
        """Do what a login does."""
        generation = self.tokens.write("token")
        now = self.clock.now()
        record = TokenRecord(generation, "AB1234", minted_at=now, stored_at=now, announced_at=now, source="login")
        self.board.put(TokenRecord.KEY, record.to_item())
        return generation

    def tick(self, generation: int) -> None:
        """Do what the worker does at the first tick."""
        entry = {"at": self.clock.now().isoformat(), "what": "first_tick", "generation": generation}
        self.board.append(timeline_key(datetime(2026, 11, 25, tzinfo=UTC).date()), entry)


def test_a_forgotten_login_is_told_four_times_and_no_more() -> None:
    """08:00, 08:45, 09:05 and when the market opens; then silence to the end of the day."""
    morning = Morning()
    titles = morning.look_until("18:00")
    assert titles == ["Log in to Zerodha"] * 3 + ["The market is open, and no token is good"]
    assert all(body.endswith(LINK) for _, body in morning.notifier.sent)


def test_a_login_ends_the_reminders_and_the_first_tick_brings_the_good_news_once() -> None:
    """The news is of the first tick, and a second login that day is none."""
    morning = Morning()
    assert morning.look_until("08:47") == ["Log in to Zerodha", "Log in to Zerodha"]
    generation = morning.log_in()
    assert morning.look_until("09:10") == []
    morning.tick(generation)
    assert morning.look_until("12:00") == ["Live since 09:10"]
    morning.tick(morning.log_in())
    assert morning.look_until("18:00") == []


def test_nothing_is_made_to_send_with_when_nothing_is_sent() -> None:
    """Apprise costs more than a second: most looks never touch it."""
    morning = Morning()
    morning.log_in()
    morning.look_until("18:00")
    assert morning.made == 0


def test_quiet_hours_hold_a_message_back_until_they_end() -> None:
    """It is not lost: what is still true is told then."""
    morning = Morning("07:40", quiet="22:00-08:30")
    assert morning.look_until("08:30") == []
    assert morning.look_until("08:40") == ["Log in to Zerodha"]


def test_a_repeated_schedule_tells_once() -> None:
    """At-least-once delivery: many looks at the same moment."""
    morning = Morning("08:00")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: morning.remind(), range(40)))
    assert len(morning.notifier.sent) == 1


def test_a_broken_channel_is_a_finding_and_the_others_still_tell() -> None:
    """The finding names the channel, and goes when the next message went well."""
    morning = Morning("08:00")
    morning.notifier.broken = {"tgram 1"}
    outcome = morning.remind()
    assert (outcome.told, outcome.failed) == (["2026-11-25#08:00"], ["tgram 1"])
    told = Notifications.from_item(morning.board.get([Notifications.KEY])[Notifications.KEY])
    assert told == Notifications(["tgram 1"], at("08:00"), at("08:00"))
    morning.notifier.broken = set()
    morning.look_until("08:50")
    told = Notifications.from_item(morning.board.get([Notifications.KEY])[Notifications.KEY])
    assert told
    assert (told.failed, told.failed_at) == ([], None)


def test_a_message_that_no_channel_took_is_tried_again() -> None:
    """Until one takes it, or its time is over."""
    morning = Morning("08:00")
    morning.notifier.broken = {"tgram 1", "sns"}
    assert morning.look_until("08:06") == []
    morning.notifier.broken = set()
    assert morning.look_until("08:44") == ["Log in to Zerodha"]


def test_a_notifier_that_cannot_be_made_leaves_the_message_to_the_next_look() -> None:
    """The parameter store fails just then."""
    morning = Morning("08:00")
    make = morning.remind.notifier
    broken = Remind(
        morning.tokens, morning.board, morning.clock, lambda _: load_calendar(), _raise, LINK, morning.remind.quiet
    )
    with pytest.raises(StoreUnavailableError):
        broken()
    assert morning.board.get([nudge_key("2026-11-25#08:00")]) == {}
    assert make() is morning.notifier
    assert morning.remind().told == ["2026-11-25#08:00"]


def _raise() -> FakeNotifier:
    raise StoreUnavailableError("SSM: throttled")


def test_without_any_channel_nothing_is_sent_and_nothing_is_wrong() -> None:
    """Nobody set one up: no finding."""
    morning = Morning("08:00")
    morning.notifier.names = ()
    outcome = morning.remind()
    assert (outcome.told, outcome.failed) == ([], [])
    assert Notifications.KEY not in morning.board.get([Notifications.KEY])


@pytest.mark.parametrize("store", ["tokens", "board"])
def test_a_silent_store_tells_nobody_to_log_in(store: str) -> None:
    """What is not known is not told: the function fails, and its alarm speaks."""
    morning = Morning("08:00")
    getattr(morning, store).trouble = StoreUnavailableError("throttled")
    with pytest.raises(StoreUnavailableError):
        morning.remind()
    assert morning.notifier.sent == []


def test_the_look_measures_too() -> None:
    """The gauges come with every look, in quiet hours as well."""
    morning = Morning("09:20", quiet="00:00-23:59")
    morning.board.put(Heartbeat.KEY, Heartbeat(heartbeat_at=at("09:20") - timedelta(seconds=300)).to_item())
    gauges = morning.remind().gauges
    assert (gauges.heartbeat_missing, gauges.token_needed, gauges.calendar_days_left) == (1, 1, 36)
    assert morning.notifier.sent == []
