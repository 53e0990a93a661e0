"""From the environment to the use case; the stores are chosen where every deployable chooses them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from kite_relay.adapters.calendar import CalendarSource
from kite_relay.adapters.clock import SystemClock
from kite_relay.adapters.notify import make_channels
from kite_relay.config import Environment, stores
from kite_relay.domain.nudge import QuietHours
from kite_relay.logging import scrubber
from kite_relay.usecases.remind import Remind


@dataclass(frozen=True, slots=True)
class Wired:
    """What the handler works with; `stack` names the metrics."""

    stack: str
    remind: Remind


def wire(variables: Mapping[str, str] = os.environ) -> Wired:
    """Wire the reminder.

    Raises:
        ConfigurationError: the environment is not complete; tells every problem.
    """
    environment, clock = Environment(variables), SystemClock()
    stack = environment.get("STACK_NAME", "kite-relay")
    login_url = environment.get("LOGIN_URL")
    topic_arn = environment.get("NOTIFY_TOPIC_ARN", "")
    quiet = environment.get("QUIET_HOURS", "22:00-07:00", QuietHours.parse)
    make = stores(environment, clock, "BOARD_TABLE")
    parameters = make.parameters()
    remind = Remind(
        tokens=make.tokens(),
        board=make.board(),
        clock=clock,
        calendar=CalendarSource(parameters).current,
        notifier=lambda: make_channels(parameters, topic_arn, scrubber.learn),
        login_url=login_url,
        quiet=quiet,
    )
    return Wired(stack, remind)
