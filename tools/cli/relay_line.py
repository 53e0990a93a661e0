"""A line to the relay, as any other program has it: Kite's protocol, a relay key, and names instead of numbers."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import typer
from websockets.asyncio.client import ClientConnection, connect
from websockets.client import process_exception
from websockets.exceptions import ConnectionClosed, InvalidStatus

from kite_relay.domain.errors import ConfigurationError, MalformedError, WillPassError
from kite_relay.domain.instruments import Instrument
from kite_relay.domain.ticks import Tick, decode
from kite_relay.logging import scrubber
from tools.cli.unseen import typed_unseen

PATIENCE = 30.0
"""The relay may have to fetch Kite's list of instruments before it can answer."""
FINAL = {
    4001: "the key was revoked or changed",
    4003: "the page is not known",
    4009: "a limit was reached",
    4010: "wrong words",
}


def relay_address(given: str | None) -> str:
    """Give the relay's address: what was given, or what the file or the stack was told.

    Raises:
        ConfigurationError: there is none, or it is none.
    """
    if not given:
        from tools.cli.place import variables  # noqa: PLC0415 - a given address needs no AWS

        given = variables().get("RELAY_URL")
    if not given:
        raise ConfigurationError(
            "no relay is known: give --relay wss://..., or set RelayUrl in the stack (RELAY_URL in a .env)"
        )
    parts = urlsplit(given)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise ConfigurationError(f"{given!r} is no relay's address: it starts with wss:// (ws:// on this machine)")
    return given


def relay_key() -> str:
    """Give the relay key, from KITE_RELAY_KEY or typed unseen; never from the arguments, which others can list."""
    key = os.environ.get("KITE_RELAY_KEY") or ""
    if not key and sys.stdin.isatty():
        key = typed_unseen("Relay key")
    if not key:
        raise ConfigurationError("no relay key: set KITE_RELAY_KEY (make one with `kite-relay keys create NAME`)")
    scrubber.learn(key)
    return key


async def follow(address: str, key: str, names: Sequence[str], show: Callable[[Instrument, Tick], None]) -> None:
    """Show every tick of these instruments, for ever; a lost connection is made anew.

    Raises:
        ConfigurationError: the key is refused, or a name is none.
    """
    parts = urlsplit(address)
    url = urlunsplit(parts._replace(query=urlencode({"api_key": "watch", "access_token": key})))
    async for socket in connect(url, user_agent_header="kite-relay watch", process_exception=_worth_retrying):
        try:
            wanted = {one.token: one for one in [await _named(socket, name) for name in names]}
            await socket.send(json.dumps({"a": "subscribe", "v": list(wanted)}))
            await socket.send(json.dumps({"a": "mode", "v": ["full", list(wanted)]}))
            async for frame in socket:
                _take(frame, wanted, show)
        except ConnectionClosed as error:
            code = error.rcvd.code if error.rcvd else None
            if code in FINAL:
                raise ConfigurationError(f"the relay closed the line: {FINAL[code]}") from None


def _take(frame: str | bytes, wanted: dict[int, Instrument], show: Callable[[Instrument, Tick], None]) -> None:
    if isinstance(frame, str):
        message = _read(frame)
        if message.get("type") == "error":
            typer.echo(f"The relay says: {message.get('data')}", err=True)
        return
    try:
        ticks = decode(frame)
    except MalformedError as error:
        typer.echo(f"Passed over: {error}", err=True)
        return
    for tick in ticks:
        if tick.instrument_token in wanted:
            show(wanted[tick.instrument_token], tick)


def _worth_retrying(error: Exception) -> Exception | None:
    """Refusals end it with a sentence; anything else is the network's, and is tried again."""
    if isinstance(error, InvalidStatus) and error.response.status_code == HTTPStatus.FORBIDDEN:
        return ConfigurationError("the relay refuses this key: make one with `kite-relay keys create NAME`")
    fatal = process_exception(error)
    if fatal is None:
        typer.echo(f"The relay does not answer ({type(error).__name__}); trying again.", err=True)
    return fatal


async def _named(socket: ClientConnection, name: str) -> Instrument:
    """Ask the relay what a name means: its exact symbol, else the likeliest."""
    found = [Instrument(**one) for one in await ask(socket, name)]
    wanted = name.casefold()
    for one in found:
        if wanted in (one.symbol.casefold(), one.key.casefold()):
            return one
    if not found:
        raise ConfigurationError(f"there is no instrument {name!r}")
    return found[0]


async def ask(socket: ClientConnection, text: str) -> list[dict[str, Any]]:
    """Ask what a few letters may mean.

    Raises:
        WillPassError: the relay cannot tell now; its own words.
    """
    await socket.send(json.dumps({"a": "find", "v": text}))
    async with asyncio.timeout(PATIENCE):
        while True:
            frame = await socket.recv()
            message = _read(frame) if isinstance(frame, str) else {}
            if message.get("type") == "error":
                raise WillPassError(f"the relay says: {message.get('data')}")
            if message.get("type") == "instruments" and message["data"]["query"] == text:
                return list(message["data"]["instruments"])


def _read(text: str) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}
