"""`kite-relay watch`: live prices in the terminal, through the relay like every other program."""

import asyncio
import contextlib
import json
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kite_relay.domain.errors import WillPassError
from kite_relay.domain.instruments import Instrument
from kite_relay.domain.ticks import Tick
from kite_relay.domain.token import IST
from tools.cli.relay_line import follow, relay_address, relay_key
from tools.cli.style import ago, indian, is_seen

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

STALE_SECONDS = 30
app = typer.Typer(add_completion=False)
Latest = dict[str, tuple[Tick, datetime]]


@app.command()
def watch(
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL", help="NIFTY, RELIANCE, NSE:INFY, 'NIFTY BANK'.")],
    *,
    relay: Annotated[
        str | None,
        typer.Option(envvar="RELAY_URL", help="The relay, like wss://relay.example.com; the stack's if absent."),
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End after so long; otherwise Ctrl-C ends it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per tick.")] = False,
) -> None:
    """Watch live prices. The relay key is taken from KITE_RELAY_KEY, or asked for (kite-relay keys create NAME)."""
    address, key = relay_address(relay), relay_key()
    on_screen = is_seen() and not as_json
    show = _print_json if as_json else _print_line
    latest: Latest = {}

    def take(one: Instrument, tick: Tick) -> None:
        latest[one.key] = tick, datetime.now(UTC)
        if not on_screen:
            show(one, tick)

    with contextlib.suppress(TimeoutError), _screen(latest) if on_screen else contextlib.nullcontext():
        asyncio.run(_for(seconds, follow(address, key, symbols, take)))
    if not latest:
        raise WillPassError("no tick came; `kite-relay status` tells why")


async def _for(seconds: float | None, work: Coroutine[Any, Any, None]) -> None:
    async with asyncio.timeout(seconds):
        await work


def _print_json(instrument: Instrument, tick: Tick) -> None:
    stamp = tick.exchange_timestamp.isoformat() if tick.exchange_timestamp else None
    facts = {"instrument": instrument.key, "token": tick.instrument_token, "last_price": tick.last_price}
    typer.echo(json.dumps({**facts, "change_percent": tick.change, "volume": tick.volume_traded, "at": stamp}))


def _print_line(instrument: Instrument, tick: Tick) -> None:
    now = datetime.now(UTC).astimezone(IST)
    typer.echo(f"{now:%H:%M:%S} {instrument.key} {indian(tick.last_price)} {_change(tick)}".rstrip())


def _change(tick: Tick) -> str:
    if tick.change is None:
        return ""
    return f"{'▲' if tick.change > 0 else '▼' if tick.change < 0 else ' '} {abs(tick.change):.2f} %"


def _screen(latest: Latest) -> "Live":
    from rich.live import Live  # noqa: PLC0415 - only a terminal needs it

    return Live(refresh_per_second=4, get_renderable=lambda: _table(latest))


def _table(latest: Latest) -> "Table | Text":
    from rich.table import Table  # noqa: PLC0415 - only a terminal needs it
    from rich.text import Text  # noqa: PLC0415 - the same

    now = datetime.now(UTC)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("Instrument")
    for name in ("Price", "Change", "Day", "Tick"):
        table.add_column(name, justify="right")
    for key, (tick, heard) in latest.items():
        old = (now - heard).total_seconds() > STALE_SECONDS
        price = Text(indian(tick.last_price), style="dim strike" if old else "bold")
        day = f"{indian(tick.ohlc.low)} - {indian(tick.ohlc.high)}" if tick.ohlc else ""
        table.add_row(
            key,
            price,
            Text(_change(tick), style=_tone(tick, old=old)),
            Text(day, style="dim"),
            Text(ago(heard, now), style="dim"),
        )
    return table if latest else Text("Waiting for the first tick ...", style="dim")


def _tone(tick: Tick, *, old: bool) -> str:
    if old or not tick.change:
        return "dim"
    return "green" if tick.change > 0 else "red"
