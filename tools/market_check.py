"""Checks `market_sessions.json`: its JSON Schema first, then what a schema cannot say. All problems at once."""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from kite_relay.domain.errors import MalformedError
from kite_relay.domain.market_data import WEEKDAYS, MarketData, Status, parse

DATA = Path(str(files("kite_relay.domain"))) / "market_sessions.json"
SCHEMA = Path(__file__).with_name("schemas") / "market_sessions.schema.json"


def problems(document: Any) -> list[str]:
    """List everything that is wrong with a data file; an empty list is a good one."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    found = [
        f"{error.json_path}: {error.message}"
        for error in sorted(Draft202012Validator(schema).iter_errors(document), key=lambda error: error.json_path)
    ]
    if found:
        return found
    found = list(_sources(document)) + list(_order(document))
    try:
        data = parse(document)
    except MalformedError as error:
        return [*found, str(error)]
    return [*found, *_days(data), *_hours(data)]


def _rows(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for part in ("closures", "special_sessions", "settlement_holidays", "regimes"):
        yield from document[part]


def _sources(document: Mapping[str, Any]) -> Iterator[str]:
    """Hold every row to a source that is explained, and every explanation to a row that needs it."""
    known, used = set(document["sources"]), set()
    for row in _rows(document):
        used |= {row["source"]} if isinstance(row["source"], str) else set(row["source"])
    yield from (f"source {name!r} is not explained under 'sources'" for name in sorted(used - known))
    yield from (f"source {name!r} is used by no row" for name in sorted(known - used))


def _order(document: Mapping[str, Any]) -> Iterator[str]:
    """Hold dated rows to their order, so that a reader finds them and a diff shows what came."""
    for part in ("closures", "special_sessions", "settlement_holidays"):
        for row, following in pairwise(document[part]):
            if row["date"] >= following["date"]:
                yield f"{part}: {following['date']} stands after {row['date']}"


def _days(data: MarketData) -> Iterator[str]:
    """Hold closures to weekdays, and settlement holidays to days that trade."""
    for day in data.closures:
        if day.weekday() >= WEEKDAYS:
            yield f"closures: {day} is a {day:%A}, which is closed anyway"
    for day in data.settlement_holidays:
        if day in data.closures or day.weekday() >= WEEKDAYS:
            yield f"settlement_holidays: {day} has no session: a settlement holiday is no closure"


def _hours(data: MarketData) -> Iterator[str]:
    """Hold every known day's hours to some continuous trading, and to nothing open before it but a pre-open."""
    lists = {f"{row.segment} from {row.effective_from}": row.sessions for rows in data.regimes.values() for row in rows}
    for special in data.specials.values():
        lists |= {f"{special.date}, {name}": rows for name, rows in (special.sessions or {}).items()}
    for where, sessions in lists.items():
        statuses = [session.status for session in sessions]
        if Status.LIVE not in statuses:
            yield f"{where}: no continuous trading at all"
        elif set(statuses[: statuses.index(Status.LIVE)]) - {Status.PRE_OPEN}:
            yield f"{where}: something other than a pre-open stands before the first trading"


def check_file(path: Path = DATA) -> list[str]:
    """Check a data file; what is no JSON is one problem."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return [f"{path}: {error}"]
    return problems(document)


def valid_through(path: Path = DATA) -> date:
    """Tell how far a good data file reaches."""
    return date.fromisoformat(json.loads(path.read_text(encoding="utf-8"))["valid_through"])
