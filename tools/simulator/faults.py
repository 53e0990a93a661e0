"""What the simulator was told to do wrong. All of it ends with `calm`; the settings below it stay."""

from dataclasses import dataclass, field
from typing import Literal

from tools.simulator.connection import Silence

Fate = Literal["survive", "mute", "die"]
"""What becomes of an open socket whose token died: it flows on, it sends heartbeats alone, or it is cut off."""
OldSocket = Literal["survives", "dies"]
FourthSocket = Literal["refuse", "drop-oldest"]


@dataclass(slots=True)
class Refusal:
    """An answer that stands in for the real one; `times` counts down, None is until `calm`."""

    status: int
    times: int | None = None
    path: str = ""

    def take(self) -> bool:
        """Use it up once; False when nothing of it is left."""
        if self.times is None:
            return True
        self.times -= 1
        return self.times >= 0


@dataclass(slots=True)
class Faults:
    """The faults that are on."""

    handshake_delay: float = 0.0
    rest_delay: float = 0.0
    handshake: Refusal | None = None
    rest: Refusal | None = None
    lost_answers: int = 0
    new_sockets: Silence = Silence.NONE


@dataclass
class Settings:
    """How this Kite behaves where nobody knows how the real one does, and how fast its market is.

    Args:
        old_socket: what a new login does to the sockets of the older token.
        fourth_socket: what becomes of a socket beyond the limit.
        updates: how often per second each instrument moves; 0 is a market that stands still.
        frames: how many messages per second these updates are spread over.
        heartbeat: seconds between two heartbeats.
        redirect_url: where the login page sends the browser.
    """

    old_socket: OldSocket = "survives"
    fourth_socket: FourthSocket = "refuse"
    updates: float = 1.0
    frames: float = 10.0
    heartbeat: float = 1.0
    redirect_url: str = ""
    faults: Faults = field(default_factory=Faults)
