"""`kite-relay doctor`: what is wrong, in the order of mending, each with its fix; and a report that may be shown."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from kite_relay import __version__
from kite_relay.logging import scrubber
from tools.cli.checks import Result, examine
from tools.cli.exits import Exits
from tools.cli.patient import Patient
from tools.cli.place import variables
from tools.cli.style import paint, sign

app = typer.Typer(add_completion=False)
WIDTH = 13
HIDDEN = (
    (re.compile(r"\b\d{12}\b"), "<account>"),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b|\b(?:[0-9a-f]{1,4}:){2,7}[0-9a-f]{0,4}\b"), "<address>"),
    (re.compile(r"(?<=//)[^/\s:]+"), "<host>"),
    (re.compile(r"\b[\w-]+(?:\.[\w-]+)*\.(?:com|net|org|in|io|dev|app|trade|aws)\b"), "<host>"),
    (re.compile(r"\b[A-Z]{2,6}\d{2,6}\b"), "<user>"),
    (re.compile(r"(?<=:user/|:role/)\S+|(?<=assumed-role/)\S+"), "<identity>"),
    (re.compile(r"(?:/[\w.-]+){2,}"), "<path>"),
)
"""What a report says instead of whatever tells who and where somebody is."""


@app.command(epilog="Exit code: 0 all is well or only warned of, else that of the first thing to mend.")
def doctor(
    *,
    report: Annotated[
        bool, typer.Option("--report", help="As Markdown to paste, without names and addresses.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")] = False,
) -> None:
    """Examine everything, in the order in which one would mend it."""
    results = []
    for result in examine(Patient(variables)):
        results.append(result)
        if not (report or as_json):
            _tell(result)
    if as_json:
        typer.echo(json.dumps([_plain(result) for result in results], indent=2))
    elif report:
        typer.echo(markdown(results))
    else:
        typer.echo(_summary(results))
    raise typer.Exit(next((result.code for result in results if result.code), Exits.OK))


def _plain(result: Result) -> dict[str, object]:
    return {**asdict(result), "code": int(result.code), "detail": scrubber.scrub(result.detail)}


def _tell(result: Result) -> None:
    name = paint(result.name.ljust(WIDTH), "strong")
    typer.echo(f"{sign(result.tone)} {name} {scrubber.scrub(result.detail)}")
    if result.fix:
        typer.echo(f"  {' ' * WIDTH} {paint('->', 'accent')} {result.fix}")


def _summary(results: Sequence[Result]) -> str:
    bad = sum(result.tone == "bad" for result in results)
    warned = sum(result.tone == "warn" for result in results)
    if not bad and not warned:
        return f"\n{sign('good')} All is well."
    words = [f"{bad} to mend" if bad else "", f"{warned} to look at" if warned else ""]
    told = " and ".join(filter(None, words))
    return f"\n{sign('bad' if bad else 'warn')} {told}. To ask for help: kite-relay doctor --report"


def markdown(results: Sequence[Result]) -> str:
    """Write the report: a table without anybody's names, addresses or secrets."""
    rows = [f"| {result.name} | {result.tone} | {redact(result.detail)} |" for result in results]
    return "\n".join([f"kite-relay {__version__}", "", "| check | result | detail |", "|---|---|---|", *rows])


def redact(text: str) -> str:
    """Blank secrets, and whatever tells who and where somebody is."""
    text = scrubber.scrub(text).replace("|", "/")
    for pattern, word in HIDDEN:
        text = pattern.sub(word, text)
    return text
