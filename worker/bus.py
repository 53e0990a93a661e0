"""What stands between the feed and everyone who listens: packets one way, wants the other. One thread, no queue."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from kite_relay.domain.ticks import Mode

log = logging.getLogger("kite_relay.bus")

Packets = Sequence[tuple[int, bytes]]
"""Packets of one upstream frame in their order: (instrument token, the packet's bytes as Kite sent them)."""

Wants = Mapping[int, Mode]
"""All that one owner wants: instrument token -> mode. Empty: nothing any more."""


class Listener(Protocol):
    """Someone who listens: the relay, or the stream to other relay processes."""

    def on_packets(self, packets: Packets) -> None:
        """Take the packets of one upstream frame; must not block."""
        ...

    def on_text(self, text: str) -> None:
        """Take one text frame of Kite's (an order update, an error, a message); must not block."""
        ...


class Bus:
    """Passes packets from the feed to the listeners, and the listeners' wants to the feed.

    Everyone who wants instruments says so through `want`, the worker for those it always holds too: what nobody wants
    is no longer fresh, and is forgotten.

    Args:
        set_wants: takes (owner, all that it wants); raises `LimitExceededError` and changes nothing when that is
            more than Kite allows.
    """

    def __init__(self, set_wants: Callable[[str, Wants], None]) -> None:
        self.latest: dict[int, bytes] = {}
        """The newest packet of each wanted instrument, whatever its mode."""
        self._set_wants = set_wants
        self._wants: dict[str, Wants] = {}
        self._listeners: list[Listener] = []

    def want(self, owner: str, wants: Wants) -> None:
        """Set all that an owner wants, in place of what it wanted before.

        Raises:
            LimitExceededError: more than Kite allows; nothing has changed.
        """
        self._set_wants(owner, wants)
        old = self._wants.pop(owner, {})
        if wants:
            self._wants[owner] = wants
        for token in old.keys() - wants.keys():
            if not any(token in others for others in self._wants.values()):
                self.latest.pop(token, None)

    def attach(self, listener: Listener) -> None:
        """Let someone listen from now on."""
        self._listeners.append(listener)

    def publish(self, packets: Packets) -> None:
        """Pass on the packets of one upstream frame; a listener's bug costs neither the others nor Kite's socket."""
        self.latest.update(packets)
        for listener in self._listeners:
            try:
                listener.on_packets(packets)
            except Exception:
                log.exception("a listener failed")

    def publish_text(self, text: str) -> None:
        """Pass on one text frame."""
        for listener in self._listeners:
            try:
                listener.on_text(text)
            except Exception:
                log.exception("a listener failed")
