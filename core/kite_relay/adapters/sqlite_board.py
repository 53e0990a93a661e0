"""The status board as a SQLite file, for one machine: several processes may use it at once."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from math import ceil
from pathlib import Path
from typing import Any

from kite_relay.domain.errors import StoreUnavailableError
from kite_relay.ports import Clock, Item

BUSY_SECONDS = 3
_TABLE = "CREATE TABLE IF NOT EXISTS board (key TEXT PRIMARY KEY, item TEXT NOT NULL, expires_at REAL) WITHOUT ROWID"
_ALIVE = "(expires_at IS NULL OR expires_at > :now)"
_PUT = "INSERT OR REPLACE INTO board VALUES (:key, :item, :expiry)"


class SqliteBoard:
    """Keeps small facts in one file. Opens it for each call, so it is at home in every thread.

    Args:
        path: the file; made with mode 0600 when it is not there.
        clock: tells what is outlived.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.touch(mode=0o600)
            with closing(sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
                connection.execute(_TABLE)
                connection.execute("BEGIN IMMEDIATE")
                with connection:
                    yield connection
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailableError(f"the board {self._path}: {error}") from error

    def _values(self, key: str, item: Item, expires_at: datetime | None) -> dict[str, Any]:
        expiry = None if expires_at is None else ceil(expires_at.timestamp())
        return {"key": key, "item": json.dumps(dict(item)), "expiry": expiry, "now": self._clock.now().timestamp()}

    def get(self, keys: Sequence[str]) -> Mapping[str, Item]:
        """Read several items at once, consistently; absent and outlived ones are left out."""
        query = f"SELECT key, item FROM board WHERE key IN (SELECT value FROM json_each(:keys)) AND {_ALIVE}"  # noqa: S608 - constants only
        with self._transaction() as connection:
            values = {"keys": json.dumps(list(keys)), "now": self._clock.now().timestamp()}
            return {key: json.loads(item) for key, item in connection.execute(query, values)}

    def put(self, key: str, item: Item, *, expires_at: datetime | None = None) -> None:
        """Write an item whole, and sweep out what is outlived."""
        with self._transaction() as connection:
            values = self._values(key, item, expires_at)
            connection.execute(_PUT, values)
            connection.execute(f"DELETE FROM board WHERE NOT {_ALIVE}", values)  # noqa: S608 - constants only

    def put_new(self, key: str, item: Item, *, expires_at: datetime | None = None) -> bool:
        """Write an item only if none stands there; tells whether it did."""
        with self._transaction() as connection:
            values = self._values(key, item, expires_at)
            if self._standing(connection, values) is not None:
                return False
            connection.execute(_PUT, values)
            return True

    def append(self, key: str, entry: Item, *, expires_at: datetime | None = None) -> None:
        """Add an entry to the list `entries` of an item, making the item if need be."""
        with self._transaction() as connection:
            standing = self._standing(connection, self._values(key, {}, None))
            item, expiry = standing or ({}, None)
            values = self._values(key, {**item, "entries": [*item.get("entries", ()), dict(entry)]}, expires_at)
            connection.execute(_PUT, values if expires_at is not None else {**values, "expiry": expiry})

    def _standing(self, connection: sqlite3.Connection, values: Mapping[str, Any]) -> tuple[Any, float | None] | None:
        query = f"SELECT item, expires_at FROM board WHERE key = :key AND {_ALIVE}"  # noqa: S608 - constants only
        row = connection.execute(query, values).fetchone()
        return None if row is None else (json.loads(row[0]), row[1])

    def delete(self, key: str) -> None:
        """Remove an item; an absent one is no error."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM board WHERE key = ?", (key,))
