"""Loads the market's clock: the data file that ships with the program, under the operator's overrides."""

import json
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files

from kite_relay.domain.errors import ConfigurationError, KiteRelayError, MalformedError
from kite_relay.domain.market import Calendar
from kite_relay.domain.market_data import parse
from kite_relay.domain.market_overrides import parse_overrides
from kite_relay.ports import Parameters

OVERRIDES = "market_overrides"
"""The parameter that holds the operator's document."""
MAX_AGE = timedelta(minutes=2)
"""How long a read of the overrides serves; the promise is that a declaration counts within five minutes."""


@cache
def load_calendar() -> Calendar:
    """Give the calendar of the data file alone."""
    text = files("kite_relay.domain").joinpath("market_sessions.json").read_text(encoding="utf-8")
    return Calendar(parse(json.loads(text)))


class CalendarSource:
    """Gives the calendar under the newest overrides, read anew when they are too old.

    Trouble with the overrides never takes the calendar away: the last good ones stay, and `problem` tells.

    Args:
        parameters: where the overrides stand.
        max_age: how long a read of them serves.
    """

    def __init__(self, parameters: Parameters, max_age: timedelta = MAX_AGE) -> None:
        self._parameters = parameters
        self._max_age = max_age
        self._calendar = load_calendar()
        self._read_at: datetime | None = None
        self._version = 0
        self.problem: str | None = None
        """Why the newest overrides do not count, in words for the operator; None when they do."""

    def current(self, now: datetime) -> Calendar:
        """Give the calendar to answer with at this instant."""
        if self._read_at is None or not timedelta(0) <= now - self._read_at < self._max_age:
            self._read_at = now
            self._refresh()
        return self._calendar

    def standing(self) -> Calendar:
        """Give the calendar as it was read last, without asking anybody."""
        return self._calendar

    def _refresh(self) -> None:
        try:
            parameter = self._parameters.read(OVERRIDES)
            version = parameter.version if parameter else 0
            if version != self._version or self.problem:
                self._calendar = load_calendar().with_overrides(parse_overrides(parameter.value) if parameter else {})
                self._version = version
            self.problem = None
        except MalformedError as error:
            self.problem = f"{error}: start anew with `kite-relay calendar clear`"
        except ConfigurationError as error:
            self.problem = f"the market overrides cannot be read: {error}"
        except KiteRelayError as error:
            self.problem = f"the market overrides cannot be read now: {error}"
