"""One machine reminds as AWS does: every two minutes, only for who wants it, and no trouble ends it."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from kite_relay.config import FileStores
from kite_relay.domain.errors import ConfigurationError, StoreUnavailableError
from kite_relay.domain.gauges import Gauges
from kite_relay.usecases.remind import Outcome
from tests.fakes.notify import FakeNotifier
from tests.fakes.stores import FakeParameters
from tests.fakes.trouble import FakeClock
from tests.fakes.virtual_time import VirtualClock, inline, run
from tools.devstack.reminders import EVERY_SECONDS, remind_for_ever, reminder

GAUGES = Gauges(heartbeat_missing=0, token_needed=1, calendar_days_left=30)
AT_EIGHT = datetime.fromisoformat("2026-11-25T08:01+05:30")


def looks(*answers: Outcome | Exception | None) -> list[float]:
    """Answer the looks in turn; gives the seconds from the first look to each of them, and to the one after."""
    at: list[float] = []
    left = list(answers)

    async def story(clock: VirtualClock) -> None:
        over = asyncio.Event()

        def look() -> Outcome | None:
            at.append(clock.monotonic())
            if not left:
                over.set()
                return None
            answer = left.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        task = asyncio.create_task(remind_for_ever(look, inline))
        await over.wait()
        assert not task.done()

    run(story)
    return [moment - at[0] for moment in at]


def test_it_looks_at_once_and_then_every_two_minutes() -> None:
    """A message is told at the latest two minutes after it is due."""
    assert EVERY_SECONDS == 120
    assert looks(None, None) == [0, 120, 240]


def test_no_trouble_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    """A locked file, a bug of ours: the log says so, and the next look comes."""
    assert looks(StoreUnavailableError("the file is away"), ValueError("a bug"), None) == [0, 120, 240, 360]
    said = capsys.readouterr().out
    assert "the reminder could not look" in said
    assert "the reminder failed" in said


def test_what_was_told_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    """With the channels that failed, by their names."""
    looks(Outcome(GAUGES, told=["2026-11-25#08:00"], failed=["tgram 1"]))
    said = capsys.readouterr().out
    assert "told the operator" in said
    assert "2026-11-25#08:00" in said
    assert "tgram 1" in said


@pytest.fixture
def phone(monkeypatch: pytest.MonkeyPatch) -> FakeNotifier:
    """Put a phone in place of the channels, and eight o'clock of a trading day in place of now."""
    found = FakeNotifier("phone")
    monkeypatch.setattr("functions.reminder.wiring.make_channels", lambda *_: found)
    monkeypatch.setattr("functions.reminder.wiring.SystemClock", lambda: FakeClock(AT_EIGHT))
    return found


def test_only_who_wants_messages_gets_them(tmp_path: Path, phone: FakeNotifier) -> None:
    """Nothing is even looked at before; the addresses may come while it runs, and each message comes once."""
    file = tmp_path / ".env"
    file.write_text("KITE_API_KEY=key\n")
    parameters = FileStores(file, FakeClock(AT_EIGHT - timedelta(days=1))).parameters()
    look = reminder(parameters, {"ENV_FILE": str(file)}, "https://kite.example.com")
    assert look() is None
    file.write_text("KITE_API_KEY=key\nKITE_NOTIFY_URLS=\n")
    assert look() is None
    assert phone.sent == []
    file.write_text("KITE_API_KEY=key\nKITE_NOTIFY_URLS=ntfy://topic\n")
    first, second = look(), look()
    assert first is not None
    assert first.told == ["2026-11-25#08:00"]
    assert second is not None
    assert second.told == []
    ((_, body),) = phone.sent
    assert body.endswith("https://kite.example.com/login")


def test_quiet_hours_count_and_wrong_ones_are_told_at_the_start(tmp_path: Path, phone: FakeNotifier) -> None:
    """A slip must not wait for the first message."""
    file = tmp_path / ".env"
    wanted = FakeParameters(notify_urls="ntfy://topic")
    variables = {"ENV_FILE": str(file), "QUIET_HOURS": "22:00-09:00"}
    outcome = reminder(wanted, variables, "http://localhost:4600")()
    assert outcome is not None
    assert (outcome.told, phone.sent) == ([], [])
    with pytest.raises(ConfigurationError, match="QUIET_HOURS: quiet hours are written like 22:00-07:00"):
        reminder(wanted, {**variables, "QUIET_HOURS": "night"}, "http://localhost:4600")
