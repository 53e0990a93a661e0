"""One socket's end in the feed, and what the feed tells its watcher."""

from typing import TYPE_CHECKING, Protocol

from kite_relay.domain.handover_types import Closed, Covered, DialFailed, DialOpened, DialRejected, Report, TokenId
from kite_relay.domain.ticks import FrameError, split
from kite_relay.domain.token import AccessToken
from worker.bus import Packets

if TYPE_CHECKING:
    from datetime import datetime

    from worker.feed import Feed
    from worker.upstream import Line

NEVER = 1 << 16
"""Longer than any packet."""
RAISE_SECONDS = 1.0
"""How long a new socket's packets may be shorter than its wanted mode before they are passed on all the same."""


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
        self.pending: dict[int, int] | None = None
        """What the predecessor was delivering and this one has not yet, and how long its packet must be; None once all
        came. A shorter packet does not count: Kite has not raised the mode yet, so the predecessor still has more."""

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
            packets: Packets = split(data)
        except FrameError as error:
            feed.watcher.on_rejected_frame(error.reason.value)
            return
        if packets:
            feed.last_tick = self.heard
            if self.pending is not None:
                packets = self._watch(packets)
            feed.pass_on(self, packets)

    def text(self, text: str) -> None:
        """A text frame came."""
        self.heard = self.feed.monotonic()
        self.feed.pass_text(self, text)

    def _watch(self, packets: Packets) -> Packets:
        """Until all that was delivered before has come, look at what comes; returns what is fit to pass on.

        Kite answers a subscription with a packet of its default mode before it raises the mode: passed on, clients
        would get one tick twice, short and whole.
        """
        if not self.delivered:
            self.delivered = True
            self.feed.first_packet(self)
        pending = self.pending or {}
        if self.feed.monotonic() - self.opened_mono < RAISE_SECONDS:
            packets = [(token, packet) for token, packet in packets if len(packet) >= pending.get(token, 0)]
        for token, packet in packets:
            if len(packet) >= pending.get(token, NEVER):
                del pending[token]
        if not pending:
            self.pending = None
            self.feed.happened(Covered(self.socket))
        return packets
