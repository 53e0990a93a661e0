"""The way of a packet to the clients: bytes in, bytes out, one write per client and upstream frame.

Clients with equal subscriptions form a group. A packet is prepared once per mode, appended to the groups that want it,
and each group's frame is built once, whoever is in the group. Nothing here awaits, and nothing waits for a client.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from kite_relay.domain.ticks import HEARTBEAT, MAX_PACKETS, Mode, cut

_SHORT, _MEDIUM = 126, 65_536
_BINARY, _TEXT = b"\x82", b"\x81"
_FULL, _QUOTE, _LTP = Mode.FULL, Mode.QUOTE, Mode.LTP


def _head(opcode: bytes, size: int) -> bytes:
    """Write the head of an unfragmented, unmasked WebSocket frame (RFC 6455, 5.2)."""
    if size < _SHORT:
        return opcode + size.to_bytes(1, "big")
    if size < _MEDIUM:
        return opcode + b"\x7e" + size.to_bytes(2, "big")
    return opcode + b"\x7f" + size.to_bytes(8, "big")


BEAT = _head(_BINARY, len(HEARTBEAT)) + HEARTBEAT
"""A heartbeat, ready to be written."""


def text_frame(text: str) -> bytes:
    """Give a text message, ready to be written."""
    payload = text.encode()
    return _head(_TEXT, len(payload)) + payload


def pack(packet: bytes) -> bytes:
    """Give a packet with its length before it, as it stands in a frame."""
    return len(packet).to_bytes(2, "big") + packet


def binary_frame(pieces: list[bytes]) -> bytes:
    """Give packed packets as binary message, ready to be written."""
    count = len(pieces)
    if count > MAX_PACKETS:
        return binary_frame(pieces[:MAX_PACKETS]) + binary_frame(pieces[MAX_PACKETS:])
    payload = b"".join(pieces)
    key = count, len(payload)
    head = _heads.get(key)
    if head is None:
        if len(_heads) >= _HEADS:
            _heads.clear()
        head = _heads[key] = _head(_BINARY, key[1] + 2) + count.to_bytes(2, "big")
    return head + payload


_HEADS = 4096
_heads: dict[tuple[int, int], bytes] = {}
"""Heads already written, by number of packets and size: the same few come again and again."""


class Member(Protocol):
    """A client, as the fan-out sees it."""

    send: Callable[[bytes], int]
    """Hands bytes straight to the kernel, which takes what it can: while the client keeps up nothing is buffered."""
    write: Callable[[bytes], None]
    """Writes bytes without ever waiting."""

    def conflate(self, pieces: Iterable[bytes]) -> None:
        """Keep packed packets until the client takes bytes again; the newest of an instrument is enough."""
        ...


class Group:
    """The clients that want exactly the same."""

    __slots__ = ("beat_due", "lagging", "members", "modes", "outlets", "pieces")

    def __init__(self, modes: Mapping[int, Mode]) -> None:
        self.modes = dict(modes)
        self.pieces: list[bytes] = []
        """What it gets with the next frame: filled through the routes, and emptied, never replaced."""
        self.members: set[Member] = set()
        self.outlets: tuple[tuple[Callable[[bytes], int], Callable[[bytes], None]], ...] = ()
        """`send` and `write` of each member that keeps up. Replaced, never changed: a write may make a member lag."""
        self.lagging: tuple[Member, ...] = ()
        self.beat_due = False

    def sort(self, lagging: set[Member]) -> None:
        """Part the members that keep up from those that lag."""
        self.outlets = tuple((member.send, member.write) for member in self.members if member not in lagging)
        self.lagging = tuple(member for member in self.members if member in lagging)


Takers = dict[Group, list[bytes]]
"""The groups that want an instrument in one mode, each with its pieces."""


class Fanout:
    """Spreads packets over groups of clients."""

    def __init__(self) -> None:
        self._groups: dict[frozenset[tuple[int, Mode]], Group] = {}
        self._group_of: dict[Member, Group] = {}
        self._routes: dict[int, tuple[Takers, Takers, Takers]] = {}
        self._moved: dict[Member, Mapping[int, Mode]] = {}
        self._lagging: set[Member] = set()

    def place(self, member: Member, modes: Mapping[int, Mode]) -> None:
        """Let a member get these instruments from the next packet on. The mapping may change until then."""
        self._moved[member] = modes

    def remove(self, member: Member) -> None:
        """Forget a member; an unknown one is no error."""
        self._moved.pop(member, None)
        self._lagging.discard(member)
        self._leave(member)

    def hold(self, member: Member) -> None:
        """Conflate for a member that takes no bytes at the moment."""
        self._lagging.add(member)
        self._sort(member)

    def release(self, member: Member) -> None:
        """Write to a member again."""
        self._lagging.discard(member)
        self._sort(member)

    def offer(self, packets: Iterable[tuple[int, bytes]]) -> None:
        """Hand packets to the groups that want them; `flush` writes them."""
        if self._moved:
            self._settle()
        routes = self._routes
        for token, packet in packets:
            route = routes.get(token)
            if route is None:
                continue
            full, quote, ltp = route
            if full:
                piece = len(packet).to_bytes(2, "big") + packet
                for pieces in full.values():
                    pieces.append(piece)
            if quote:
                piece = pack(cut(packet, _QUOTE))
                for pieces in quote.values():
                    pieces.append(piece)
            if ltp:
                piece = pack(cut(packet, _LTP))
                for pieces in ltp.values():
                    pieces.append(piece)

    def flush(self) -> None:
        """Write what was handed to the groups, one write per client.

        At ten frames a second nothing of this is in the core's caches when a frame comes: what is not touched is saved.
        """
        join, heads = b"".join, _heads
        for group in self._groups.values():
            pieces = group.pieces
            if not pieces:
                continue
            payload = join(pieces)
            try:
                frame = heads[len(pieces), len(payload)] + payload
            except KeyError:
                frame = binary_frame(pieces)
            if group.beat_due:
                group.beat_due = False
                frame = BEAT + frame
            lagging = group.lagging  # a write may make its member lag, with this frame in hand
            for outlet in group.outlets:
                try:
                    sent = outlet[0](frame)
                except OSError:
                    sent = 0
                if sent != len(frame):
                    outlet[1](frame[sent:])
            if lagging:
                for member in lagging:
                    member.conflate(pieces)
            pieces.clear()

    def beat(self) -> None:
        """Give every client a heartbeat: with its next ticks, or at the next call if none came."""
        if self._moved:
            self._settle()
        for group in self._groups.values():
            if group.beat_due:
                for _, write in group.outlets:
                    write(BEAT)
            group.beat_due = True

    def _settle(self) -> None:
        """Move members whose wants have changed; what is gathered goes by their old wants."""
        self.flush()
        moved, self._moved = self._moved, {}
        for member, modes in moved.items():
            self._leave(member)
            self._join(member, modes)

    def _join(self, member: Member, modes: Mapping[int, Mode]) -> None:
        key = frozenset(modes.items())
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(modes)
            for token, mode in modes.items():
                route = self._routes.setdefault(token, ({}, {}, {}))
                route[_FULL.rank - mode.rank][group] = group.pieces
        group.members.add(member)
        group.sort(self._lagging)
        self._group_of[member] = group

    def _leave(self, member: Member) -> None:
        group = self._group_of.pop(member, None)
        if group is None:
            return
        group.members.discard(member)
        group.sort(self._lagging)
        if not group.members:
            self._dissolve(group)

    def _dissolve(self, group: Group) -> None:
        del self._groups[frozenset(group.modes.items())]
        for token, mode in group.modes.items():
            route = self._routes[token]
            del route[_FULL.rank - mode.rank][group]
            if not any(route):
                del self._routes[token]

    def _sort(self, member: Member) -> None:
        group = self._group_of.get(member)
        if group is not None:
            group.sort(self._lagging)
