"""Turns EXCHANGE:SYMBOL into Kite's instrument tokens, through the instruments dump (public, 7 MB, once a day).

What was found is kept in the state folder, so that a start without Kite's REST side still knows what to hold.
Source: https://kite.trade/docs/connect/v3/market-quotes/#instruments.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import BinaryIO, cast

import structlog
import urllib3

from kite_relay.domain.errors import KiteUnavailableError

TIMEOUT = urllib3.Timeout(connect=5.0, read=60.0)
OK = 200

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What the dump says: names found, names it does not know, and Kite's clock as the answer told it."""

    tokens: Mapping[str, int]
    unknown: Sequence[str] = ()
    server_time: datetime | None = field(default=None, compare=False)

    @property
    def problem(self) -> str:
        """Say which names Kite does not know, and what to do; empty when it knows them all."""
        return f"Kite's list has no {', '.join(self.unknown)}: check INSTRUMENTS" if self.unknown else ""


def pick(rows: Iterable[str], names: Sequence[str]) -> Resolved:
    """Find the names in the dump's rows.

    Raises:
        KiteUnavailableError: these rows are no instruments dump.
    """
    wanted = set(names)
    tokens: dict[str, int] = {}
    reader = csv.DictReader(rows)
    try:
        for row in reader:
            name = f"{row['exchange']}:{row['tradingsymbol']}"
            if name in wanted:
                tokens[name] = int(row["instrument_token"])
                if len(tokens) == len(wanted):
                    break
    except (KeyError, ValueError, csv.Error) as error:
        raise KiteUnavailableError("what Kite answered is no instruments dump") from error
    return Resolved(tokens, [name for name in names if name not in tokens])


class Instruments:
    """Fetches, picks, keeps.

    Args:
        root: Kite's REST root.
        names: what to find.
        folder: where the last finding is kept.
    """

    def __init__(self, root: str, names: Sequence[str], folder: Path) -> None:
        self._url = f"{root}/instruments"
        self._names = names
        self._path = folder / "instruments.json"
        self._http = urllib3.PoolManager(timeout=TIMEOUT, retries=False)

    def remembered(self) -> Mapping[str, int]:
        """Return what was found last time, as far as it is still wanted."""
        try:
            kept = json.loads(self._path.read_text())
            return {name: int(kept[name]) for name in self._names if name in kept}
        except (OSError, ValueError, TypeError):
            return {}

    def fetch(self) -> Resolved:
        """Ask Kite.

        Raises:
            KiteUnavailableError: it did not answer, or not with a dump.
        """
        try:
            response = self._http.request("GET", self._url, headers={"X-Kite-Version": "3"}, preload_content=False)
            try:
                if response.status != OK:
                    raise KiteUnavailableError(f"Kite answered {response.status} for the instruments dump")
                # Else the list's end would close it, which is an error to who reads it as text.
                cast("urllib3.HTTPResponse", response).auto_close = False
                found = pick(io.TextIOWrapper(cast("BinaryIO", response), "utf-8"), self._names)
                date = response.headers.get("Date")
            finally:
                response.close()
        except (urllib3.exceptions.HTTPError, OSError, UnicodeDecodeError) as error:
            raise KiteUnavailableError("Kite did not give the instruments dump") from error
        self._keep(found.tokens)
        return Resolved(found.tokens, found.unknown, _parse_date(date))

    def dump(self) -> str:
        """Ask Kite for the whole list, as its CSV.

        Raises:
            KiteUnavailableError: it did not answer, or not with a list.
        """
        try:
            response = self._http.request("GET", self._url, headers={"X-Kite-Version": "3"})
            if response.status != OK:
                raise KiteUnavailableError(f"Kite answered {response.status} for the instruments dump")
            return response.data.decode("utf-8")
        except (urllib3.exceptions.HTTPError, OSError, UnicodeDecodeError) as error:
            raise KiteUnavailableError("Kite did not give the instruments dump") from error

    def _keep(self, tokens: Mapping[str, int]) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._path.with_suffix(".new")
            fresh.write_text(json.dumps(dict(tokens)))
            fresh.replace(self._path)
        except OSError as error:
            log.warning("the instruments could not be kept", path=str(self._path), error=str(error))


def _parse_date(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except ValueError:
        return None
