"""Numbers, spans and colours in the terminal."""

import io
from datetime import UTC, datetime, timedelta

import pytest

from tools.cli import style

NOW = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567.8, "12,34,567.80"),
        (999.0, "999.00"),
        (1000.0, "1,000.00"),
        (-123456.789, "-1,23,456.79"),
        (1e7, "1,00,00,000.00"),
    ],
)
def test_digits_are_grouped_as_in_india(value: float, text: str) -> None:
    """Lakhs and crores."""
    assert style.indian(value) == text
    assert style.indian(123456, 0) == "1,23,456"


def test_spans_and_moments() -> None:
    """Short, and in India's time."""
    spans = [style.span(timedelta(seconds=s)) for s in (-3, 59, 60, 8040, 93600)]
    assert spans == ["0 s", "59 s", "1 min", "2 h 14 min", "1 d 2 h"]
    assert style.ago(None, NOW) == "never"
    assert style.ago(NOW - timedelta(seconds=3), NOW) == "3 s ago"
    moments = [style.moment(NOW + timedelta(hours=h), NOW) for h in (0, 24, -24, 240)]
    assert moments == ["10:30", "tomorrow 10:30", "yesterday 10:30", "Fri 4 Dec 10:30"]


def test_colour_is_for_terminals_and_can_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe, NO_COLOR and a dumb terminal get plain text."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert style.paint("x", "good", Terminal()) == "\x1b[32mx\x1b[0m"
    assert style.paint("x", "good", io.StringIO()) == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert style.paint("x", "good", Terminal()) == "x"
