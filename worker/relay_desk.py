"""What clients ask for: their commands, their modes, the instruments that all of them want together."""

import asyncio
from collections.abc import Iterable, Mapping

from kite_relay.domain.errors import LimitExceededError, MalformedError
from kite_relay.domain.relay_keys import Scope
from kite_relay.domain.ticks import Mode, cut
from worker.bus import Bus
from worker.relay_client import Client
from worker.relay_commands import Command, Find, SetMode, Subscribe, parse
from worker.relay_fanout import Fanout, pack
from worker.relay_find import Finder
from worker.relay_settings import CloseCode
from worker.relay_wants import Wants

FRESH = 5.0
"""A feed in another process says no within so many seconds, or never."""
MAX_MISTAKES = 20
"""Messages that are none of Kite's commands, before a client is told to go."""

Modes = Mapping[int, Mode]


class Desk:
    """Takes the clients' commands.

    Args:
        bus: where the wants of all clients together go, and the newest packets stand.
        fanout: told what each client gets from now on.
        limit: instruments per client.
        owner: the name under which the wants are known on the bus.
        finder: answers questions about names; without one they are refused.
    """

    def __init__(self, bus: Bus, fanout: Fanout, limit: int, owner: str, finder: Finder | None = None) -> None:
        self._bus = bus
        self._fanout = fanout
        self._limit = limit
        self._owner = owner
        self._finder = finder
        self._wants = Wants()
        self._asked: dict[int, float] = {}
        """When instruments that nobody wanted before were asked for."""

    def heard(self, client: Client, text: str) -> None:
        """Take one message; what is wrong with it is told to the client, and changes nothing."""
        try:
            command = parse(text)
            if isinstance(command, Find):
                self._find(client, command.text)
            else:
                self._obey(client, command)
        except MalformedError as error:
            client.mistakes += 1
            client.error(str(error))
            if client.mistakes >= MAX_MISTAKES:
                client.close(CloseCode.PROTOCOL, "too many messages that are no commands")
        except LimitExceededError as error:
            client.error(f"limit: {error}")

    def forget(self, client: Client) -> None:
        """Want nothing more for a client."""
        if self._finder:
            self._finder.forget(client)
        if self._wants.change(client.modes, client.modes, {}):
            self._bus.want(self._owner, dict(self._wants.union))
        client.modes = {}

    def take_back(self, clients: Iterable[Client], sentence: str) -> None:
        """Undo what was asked for just now: the feed, in another process, cannot fulfil it."""
        now = asyncio.get_running_loop().time()
        fresh = {token for token, at in self._asked.items() if at > now - FRESH}
        for client in clients:
            before = client.modes
            gone = before.keys() & fresh
            if gone:
                client.modes = {token: mode for token, mode in before.items() if token not in gone}
                self._wants.change(gone, before, client.modes)
                self._fanout.place(client, client.modes)
                client.error(f"limit: {sentence}")
        self._asked.clear()
        self._bus.want(self._owner, dict(self._wants.union))

    def _find(self, client: Client, text: str) -> None:
        if not client.may(Scope.TICKS):
            raise LimitExceededError("this key has no scope 'ticks'")
        if self._finder is None:
            raise MalformedError("this relay knows no names: ask by instrument tokens")
        self._finder.ask(client, text)

    def _obey(self, client: Client, command: Command) -> None:
        if not client.may(Scope.TICKS):
            raise LimitExceededError("this key has no scope 'ticks'")
        before = client.modes
        after = _apply(command, before)
        if after == before:
            return
        if len(after) > self._limit:
            raise LimitExceededError(f"{self._limit} instruments per connection")
        self._want(command.tokens, before, after)
        client.modes = after
        self._fanout.place(client, after)
        self._send_latest(client, command.tokens, before)

    def _want(self, tokens: Iterable[int], before: Modes, after: Modes) -> None:
        """Ask the bus for more or less, if all clients together want something else now."""
        now = asyncio.get_running_loop().time()
        asked = {token: now for token in tokens if token not in self._wants.union}
        if not self._wants.change(tokens, before, after):
            return
        try:
            self._bus.want(self._owner, dict(self._wants.union))
        except LimitExceededError:
            self._wants.change(tokens, after, before)
            raise
        self._asked = {token: at for token, at in self._asked.items() if at > now - FRESH} | asked

    def _send_latest(self, client: Client, tokens: Iterable[int], before: Modes) -> None:
        """Send the newest packet of each instrument that is new to the client, or that it now sees more of."""
        self._fanout.flush()  # what is gathered is older
        pieces = []
        for token in tokens:
            packet, mode = self._bus.latest.get(token), client.modes.get(token)
            if packet and mode:
                shown, seen = cut(packet, mode), before.get(token)
                if seen is None or len(shown) > len(cut(packet, seen)):
                    pieces.append(pack(shown))
        client.send_packets(pieces)


def _apply(command: Command, before: Modes) -> Modes:
    """Give a client's modes after a command. Commands may come in any order, and again."""
    if isinstance(command, Subscribe):
        return {**before, **{token: Mode.QUOTE for token in command.tokens if token not in before}}
    if isinstance(command, SetMode):
        return {**before, **dict.fromkeys(command.tokens, command.mode)}
    gone = set(command.tokens)
    return {token: mode for token, mode in before.items() if token not in gone}
