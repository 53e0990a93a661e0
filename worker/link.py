"""One socket's end in the feed, and what the feed tells its watcher."""

from typing import TYPE_CHECKING, Protocol

from kite_relay.domain.handover_types import Closed, DialFailed, DialOpened, DialRejected, Report, TokenId
from kite_relay.domain.ticks import FrameError, dissect
from kite_relay.domain.token import AccessToken

if TYPE_CHECKING:
    from datetime import datetime

    from worker.feed import Feed
    from worker.upstream import Line


class Watcher(Protocol):
    """Who wants to know what the feed does; must not block."""

    def on_report(self, report: Report) -> None:
        """The machine tells something."""
        ...

    def on_dial(self, generation: int) -> None:
        """A dial begins."""
        ...

    def on_first_tick(self, generation: int, seconds: float) -> None:
        """The first packet on a generation came, so long after the generation was adopted."""
        ...

    def on_promote(self, generation: int) -> None:
        """A lane moved to a new socket without a gap."""
        ...

    def on_gap(self, generation: int, seconds: float) -> None:
        """A lane delivered nothing for so long because it had no socket."""
        ...

    def on_probe(self, token: AccessToken) -> None:
        """Kite's REST side must be asked about the token; answer with `Feed.probed`."""
        ...

    def on_rejected_frame(self, reason: str) -> None:
        """A frame of Kite's was not what Kite promises."""
        ...


class Link:
    """One socket's end in the feed: what its line tells becomes inputs of the machine."""

    def __init__(self, feed: "Feed", socket: int, lane: int, token: TokenId) -> None:
        self.feed = feed
        self.socket = socket
        self.lane = lane
        self.token = token
        self.line: Line | None = None
        self.is_open = False
        self.opened_at: datetime | None = None
        self.opened_mono = 0.0
        self.heard = feed.monotonic()
        self.delivered = False
        self.covered = False

    def opened(self) -> None:
        """Kite accepted the handshake."""
        self.is_open = True
        self.heard = self.opened_mono = self.feed.monotonic()
        self.opened_at = self.feed.clock.now()
        self.feed.happened(DialOpened(self.socket))

    def rejected(self) -> None:
        """Kite answered 403."""
        self.feed.gone(self, DialRejected(self.socket), "rejected")

    def failed(self, reason: str) -> None:
        """The dial came to nothing."""
        self.feed.gone(self, DialFailed(self.socket), reason)

    def closed(self, reason: str) -> None:
        """The connection is gone."""
        self.is_open = False
        self.feed.gone(self, Closed(self.socket), reason)

    def frame(self, data: bytes) -> None:
        """A binary frame came: the hot path."""
        feed = self.feed
        self.heard = feed.monotonic()
        if len(data) == 1:
            return
        try:
            packets, segments = dissect(data)
        except FrameError as error:
            feed.watcher.on_rejected_frame(error.reason.value)
            return
        if packets:
            feed.last_tick = self.heard
            if not self.delivered:
                self.delivered = True
                feed.first_packet(self)
            feed.pass_on(self, packets, segments)

    def text(self, text: str) -> None:
        """A text frame came."""
        self.heard = self.feed.monotonic()
        self.feed.pass_text(self, text)
