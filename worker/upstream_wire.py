"""The reading of what Kite sends. To be imported after `install_reactor`: kiteconnect binds itself to the reactor."""

from kiteconnect.ticker import KiteTickerClientProtocol

BINARY = 0x82
"""The first byte of a binary message in one frame; the second is its length (RFC 6455, 5.2)."""
MEDIUM = 126
"""In place of a length: two bytes follow that tell it. Anything above: eight bytes, or a mask."""
SHORT_HEAD, MEDIUM_HEAD = 2, 4


class QuickProtocol(KiteTickerClientProtocol):  # type: ignore[misc]  # kiteconnect has no types
    """Takes whole binary messages as they arrive; autobahn reads all else, and needs twice our whole way for each."""

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Take bytes of the connection, cut anywhere."""
        place, size = 0, len(data)
        between = self.state == self.STATE_OPEN and not (self.data or self.current_frame or self.inside_message)
        while between and size - place > SHORT_HEAD and data[place] == BINARY:
            start, length = place + SHORT_HEAD, data[place + 1]
            if length == MEDIUM:
                start, length = place + MEDIUM_HEAD, int.from_bytes(data[start : start + 2], "big")
            elif length > MEDIUM:
                break
            if start + length > size:
                break
            place = start + length
            self.onMessage(data[start:place], True)  # noqa: FBT003 - autobahn's signature
            between = self.state == self.STATE_OPEN
        if place < size:
            super().dataReceived(data[place:])
