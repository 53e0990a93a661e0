"""`kite-relay calendar`: declare tonight's closure or session, without a deploy; and check the data file."""

import getpass
import json
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from kite_relay.adapters.calendar import MAX_AGE, OVERRIDES, load_calendar
from kite_relay.domain.errors import LimitExceededError, MalformedError
from kite_relay.domain.market_data import NORMAL, parse_sessions
from kite_relay.domain.market_overrides import Override, dump_overrides, parse_overrides
from kite_relay.domain.token import IST
from kite_relay.ports import Parameters
from tools.cli import settings
from tools.cli.market import parse_date

app = typer.Typer(add_completion=False, help="Declare a closure or a session before the data file knows it.")
MAX_BYTES = 4096
"""What one standard parameter of SSM holds."""
Day = Annotated[date, typer.Argument(parser=parse_date, metavar="DATE", help="The date, like 2026-12-05.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="What it is, for people: 'Election in Mumbai'.")]
Author = Annotated[str, typer.Option(help="Who declares it.", show_default="you")]
Spans = Annotated[list[str] | None, typer.Option(metavar="HH:MM-HH:MM", help="May be given more than once.")]


def _read(parameters: Parameters) -> dict[date, Override]:
    stored = parameters.read(OVERRIDES)
    return parse_overrides(stored.value) if stored else {}


def _write(parameters: Parameters, overrides: dict[date, Override]) -> None:
    text = dump_overrides(overrides)
    parse_overrides(text)
    if len(text.encode()) > MAX_BYTES:
        raise LimitExceededError(
            f"the overrides would take {len(text.encode())} bytes, and a parameter holds {MAX_BYTES}: "
            "remove past ones with `kite-relay calendar remove DATE`"
        )
    parameters.write(OVERRIDES, text, secret=False)
    typer.echo(f"Stored. It counts everywhere within {MAX_AGE.seconds // 60 + 1} minutes.")


def _declare(override: Override) -> None:
    with settings.to_change(OVERRIDES) as parameters:
        overrides = _read(parameters)
        earlier = overrides.get(override.date)
        if earlier:
            typer.echo(f"In place of what {earlier.author} declared: {earlier.name}")
        _write(parameters, {**overrides, override.date: override})
    typer.echo(_line(override))


@app.command("close")
def close(day: Day, name: Name, *, author: Author = "") -> None:
    """Declare that there is no session on a date."""
    now = datetime.now(UTC).replace(microsecond=0)
    _declare(Override(day, False, name, "ad_hoc", False, None, author or getpass.getuser(), now))  # noqa: FBT003 - a row


@app.command("open")
def open_(  # noqa: PLR0913 - an option each
    day: Day,
    name: Name,
    *,
    normal: Annotated[bool, typer.Option("--normal", help="An ordinary day's hours.")] = False,
    live: Spans = None,
    pre_open: Spans = None,
    post_close: Spans = None,
    kind: Annotated[str, typer.Option(help="muhurat, budget, drill or special.")] = "special",
    author: Author = "",
) -> None:
    """Declare a session on a date. Without hours they are unknown: that day then answers UNKNOWN, not a guess.

    Pre-open and post-close are the cash segment's; continuous trading is everybody's.
    """
    if normal and (live or pre_open or post_close):
        raise typer.BadParameter("give --normal, or hours, not both")
    if (pre_open or post_close) and not live:
        raise typer.BadParameter("give --live too: a session without trading is none")
    sessions = _sessions(live or [], pre_open or [], post_close or [])
    try:
        parsed = parse_sessions(NORMAL if normal else sessions, str(day))
    except MalformedError as error:
        raise typer.BadParameter(str(error)) from error
    now = datetime.now(UTC).replace(microsecond=0)
    _declare(Override(day, True, name, kind, normal, parsed, author or getpass.getuser(), now))  # noqa: FBT003 - a row


def _sessions(live: list[str], pre_open: list[str], post_close: list[str]) -> dict[str, list[str]] | None:
    if not live:
        return None
    trading = sorted(f"{span} LIVE continuous" for span in live)
    around = chain(
        (f"{span} PRE_OPEN undivided" for span in pre_open),
        (f"{span} POST_CLOSE closing_price_orders" for span in post_close),
    )
    cash = sorted([*trading, *around])
    return {"cash": cash, "cash_cas": cash, "derivatives": trading, "index": trading}


@app.command("remove")
def remove(day: Day) -> None:
    """Take back what was declared for a date."""
    with settings.to_change(OVERRIDES) as parameters:
        overrides = _read(parameters)
        if overrides.pop(day, None) is None:
            raise typer.BadParameter(f"nothing was declared for {day}")
        _write(parameters, overrides)


@app.command("clear")
def clear(*, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Take back everything that was declared, also when the document cannot be read any more."""
    if not yes:
        typer.confirm("Take back everything that was declared?", abort=True)
    with settings.to_change(OVERRIDES) as parameters:
        _write(parameters, {})


@app.command("list")
def list_(*, as_json: Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")] = False) -> None:
    """List what was declared, by whom and when."""
    overrides = _read(settings.stored().parameters())
    if as_json:
        typer.echo(json.dumps(json.loads(dump_overrides(overrides)), indent=2))
        return
    for day in sorted(overrides):
        typer.echo(_line(overrides[day]))
    data = load_calendar().data
    typer.echo(f"{len(overrides)} declared; the data file covers {data.valid_from} to {data.valid_through}")


def _line(override: Override) -> str:
    state = "closed" if not override.open else "open" if override.times_known else "open, hours unknown"
    told = f"{override.at.astimezone(IST):%Y-%m-%d %H:%M} IST"
    return f"{override.date}  {state:<20} {override.name}  (declared by {override.author}, {told})"


@app.command("check")
def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A data file; the one built in when none is given.")
    ] = None,
) -> None:
    """Check a calendar data file: its schema, its sources, its order, its hours. Tells every problem at once."""
    from tools.market_check import DATA, check_file, valid_through  # noqa: PLC0415 - jsonschema costs 60 ms

    path = file or DATA
    found = check_file(path)
    for problem in found:
        typer.echo(problem, err=True)
    if found:
        raise typer.Exit(5)
    typer.echo(f"{path.name}: good, valid through {valid_through(path)}")
