"""Turns EXCHANGE:SYMBOL into Kite's instrument tokens, through the instruments dump (public, 7 MB, once a day).

What was found is kept in the state folder, so that a start without Kite's REST side still knows what to hold.
Source: https://kite.trade/docs/connect/v3/market-quotes/#instruments.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import BinaryIO, cast

import urllib3

from kite_relay.adapters.skew import Heard
from kite_relay.domain.errors import KiteUnavailableError
from worker.state import StateFolder

TIMEOUT = urllib3.Timeout(connect=5.0, read=60.0)
OK = 200
FILE = "instruments.json"
HEADERS = {"X-Kite-Version": "3"}


@dataclass(frozen=True, slots=True)
class Resolved:
    """What the dump says: names found, and names it does not know."""

    tokens: Mapping[str, int]
    unknown: Sequence[str] = ()

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


def fetch_list(root: str) -> str:
    """Ask Kite for the whole list, as its CSV.

    Args:
        root: Kite's REST root.

    Raises:
        KiteUnavailableError: it did not answer, or not with a list.
    """
    try:
        with urllib3.PoolManager(timeout=TIMEOUT, retries=False) as pool:
            response = pool.request("GET", f"{root}/instruments", headers=HEADERS)
        if response.status != OK:
            raise KiteUnavailableError(f"Kite answered {response.status} for the instruments dump")
        return response.data.decode("utf-8")
    except (urllib3.exceptions.HTTPError, OSError, UnicodeDecodeError) as error:
        raise KiteUnavailableError("Kite did not give the instruments dump") from error


class Instruments:
    """Fetches, picks, keeps.

    Args:
        root: Kite's REST root.
        names: what to find.
        folder: where the last finding is kept.
        heard: told what time it is at Kite.
    """

    def __init__(self, root: str, names: Sequence[str], folder: StateFolder, heard: Heard = lambda *_: None) -> None:
        self._url = f"{root}/instruments"
        self._names = names
        self._folder = folder
        self._heard = heard
        self._http = urllib3.PoolManager(timeout=TIMEOUT, retries=False)

    def remembered(self) -> Mapping[str, int]:
        """Return what was found last time, as far as it is still wanted."""
        try:
            kept = json.loads(self._folder.read(FILE) or b"{}")
            return {name: int(kept[name]) for name in self._names if name in kept}
        except (ValueError, TypeError):
            return {}

    def fetch(self) -> Resolved:
        """Ask Kite.

        Raises:
            KiteUnavailableError: it did not answer, or not with a dump.
        """
        began = monotonic()
        try:
            response = self._http.request("GET", self._url, headers=HEADERS, preload_content=False)
            self._heard(response.headers.get("Date"), monotonic() - began)
            try:
                if response.status != OK:
                    raise KiteUnavailableError(f"Kite answered {response.status} for the instruments dump")
                # Else the list's end would close it, which is an error to who reads it as text.
                cast("urllib3.HTTPResponse", response).auto_close = False
                found = pick(io.TextIOWrapper(cast("BinaryIO", response), "utf-8"), self._names)
            finally:
                response.close()
        except (urllib3.exceptions.HTTPError, OSError, UnicodeDecodeError) as error:
            raise KiteUnavailableError("Kite did not give the instruments dump") from error
        self._folder.keep(FILE, json.dumps(dict(found.tokens)).encode())
        return found
