"""What a client may say: Kite's three commands, as the official clients write them, and one question of our own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kite_relay.domain.errors import MalformedError
from kite_relay.domain.instruments import MAX_TOKEN
from kite_relay.domain.ticks import Mode


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Want instruments; those that are new start in `quote`, as at Kite."""

    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Want instruments no more; those that were never wanted are no error."""

    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SetMode:
    """Want instruments in this mode, whether they were wanted before or not."""

    mode: Mode
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Find:
    """Ask what a few letters may mean."""

    text: str


Command = Subscribe | Unsubscribe | SetMode
"""What changes a client's wants."""


def parse(text: str) -> Command | Find:
    """Read one message of a client.

    Raises:
        MalformedError: it is none of Kite's commands; says why, for the client to read.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedError("the message is no JSON") from error
    if not isinstance(message, Mapping):
        raise MalformedError('the message is no object: send {"a": "subscribe", "v": [408065]}')
    action, value = message.get("a"), message.get("v")
    match action:
        case "subscribe":
            return Subscribe(_tokens(value))
        case "unsubscribe":
            return Unsubscribe(_tokens(value))
        case "mode":
            return _mode(value)
        case "find" if isinstance(value, str):
            return Find(value)
    raise MalformedError('the action "a" is none of subscribe, unsubscribe, mode')


def _mode(value: Any) -> SetMode:
    match value:
        case [str(mode), list(tokens)] if mode in set(Mode):
            return SetMode(Mode(mode), _tokens(tokens))
    raise MalformedError('the value "v" of mode is no ["ltp" | "quote" | "full", [instrument tokens]]')


def _tokens(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(token) is int and 0 < token <= MAX_TOKEN for token in value):
        raise MalformedError('the value "v" is no list of instrument tokens (whole numbers)')
    return tuple(dict.fromkeys(value))
