"""The handover machine with its clock, driven one input at a time."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from kite_relay.domain.handover import step
from kite_relay.domain.handover_types import (
    Command,
    Covered,
    Delivered,
    DialOpened,
    Input,
    Report,
    State,
    Tick,
    TokenId,
    TokenSeen,
)

START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


def token(generation: int, *, usable: bool = True) -> TokenId:
    """Name a token: each is written a day after the one before it."""
    return TokenId(generation, START + timedelta(days=generation), usable)


ONE, TWO = token(1), token(2)


class Machine:
    """The machine, its clock, and what it said last."""

    def __init__(self) -> None:
        self.state = State()
        self.now = 100.0
        self.roll = 0.5
        self.heard: dict[int, float] = {}

    def tell(self, event: Input) -> list[Command]:
        """Give an input; returns the commands, without the reports."""
        self.state, commands = step(self.state, event, self.now, self.roll)
        self.reports = [command for command in commands if isinstance(command, Report)]
        self.told = [report.what for report in self.reports]
        return [command for command in commands if not isinstance(command, Report)]

    def tell_all(self, events: Iterable[Input]) -> list[Command]:
        """Give several; returns what the last one led to."""
        commands: list[Command] = []
        for event in events:
            commands = self.tell(event)
        return commands

    def wait(self, seconds: float, heard: Iterable[int] = ()) -> list[Command]:
        """Let time pass in ticks; `heard` are the sockets that speak all along."""
        commands: list[Command] = []
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + 1.0, end)
            self.heard |= dict.fromkeys(heard, self.now)
            commands += self.tell(Tick(self.heard))
        return commands

    def flow(self, socket: int) -> list[Command]:
        """A dial succeeds and delivers all that it shall."""
        return self.tell_all([DialOpened(socket), Delivered(socket), Covered(socket)])


def flowing() -> Machine:
    """Make one that has its first token and flows on it, on socket 1."""
    machine = Machine()
    machine.tell(TokenSeen(ONE))
    machine.flow(1)
    return machine
