"""The access token and the settings beside it in a `.env` file, for one machine without AWS.

Other programs on the machine may read the file, and a person may edit it. Versions stand in a file beside it,
`<file>.versions`, with a fingerprint of each value: a value whose fingerprint differs was put by hand, and gets the
next version when it is first seen. That file is written first, so a crash between the two looks like such a change.
On a disk that is full or read-only such a version is kept in memory: a token put by hand counts all the same.
"""

import fcntl
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from kite_relay.adapters import dotenv
from kite_relay.adapters.files import replace
from kite_relay.domain.errors import StoreUnavailableError
from kite_relay.domain.events import TokenRotated
from kite_relay.domain.token import AccessToken, TokenStamp, parse_instant
from kite_relay.ports import Clock, Parameter

TOKEN = "access_token"  # noqa: S105 - a name
PLAIN = ("relay_keys", "market_overrides")


def variable(name: str) -> str:
    """Name a parameter's variable in the file: `api_key` is `KITE_API_KEY`."""
    return f"KITE_{name.upper()}"


@dataclass(frozen=True, slots=True)
class _Entry:
    value: str = field(repr=False)
    version: int
    written_at: datetime


class EnvFile:
    """The file and its versions.

    Args:
        path: the `.env` file; made when something is first written.
        clock: tells when a value was written or first seen.
        learn: told every secret that passes, so that no log shows it.
    """

    def __init__(self, path: Path, clock: Clock, learn: Callable[[str], None]) -> None:
        self.path = path
        self._versions = path.with_name(f"{path.name}.versions")
        self._clock = clock
        self._learn = learn
        self._unsaved: dict[str, _Entry] = {}
        """Values that were seen, and whose versions could not be written down yet."""

    def read(self, name: str) -> _Entry | None:
        """Read a value with its version; None when the file does not hold it."""
        with self._trouble():
            found = self._look(name)
            if isinstance(found, str):
                found = self._first_seen(name, found)
        if found and name not in PLAIN:
            self._learn(found.value)
        return found

    def write(self, name: str, value: str) -> int:
        """Write a value; returns its new version."""
        if name not in PLAIN:
            self._learn(value)
        with self._trouble(), self._locked():
            entry = self._next_version(name, value)
            replace(self.path, dotenv.update(self._text(), {variable(name): value}).encode())
            return entry.version

    def _look(self, name: str) -> _Entry | str | None:
        """Find a value: as an entry, or as a bare text when it was put by hand."""
        value = dotenv.parse(self._text()).get(variable(name))
        if not value:
            return None
        known = self._known().get(name)
        if known and known["fingerprint"] == _fingerprint(value):
            return _Entry(value, known["version"], parse_instant(known["written_at"]))
        return value

    def _first_seen(self, name: str, value: str) -> _Entry | None:
        """Give a value that was put by hand its version; the same one until it can be written down."""
        try:
            with self._locked():
                found = self._look(name)
                return self._next_version(name, found) if isinstance(found, str) else found
        except OSError:
            return self._numbered(name, value)

    def _next_version(self, name: str, value: str) -> _Entry:
        entry = self._numbered(name, value)
        facts = {"version": entry.version, "written_at": entry.written_at.isoformat()}
        known = {**self._known(), name: {**facts, "fingerprint": _fingerprint(value)}}
        replace(self._versions, (json.dumps(known, indent=1) + "\n").encode())
        self._unsaved.pop(name, None)
        return entry

    def _numbered(self, name: str, value: str) -> _Entry:
        """Number a value, and remember the number until it stands in the file of versions."""
        version = self._known().get(name, {"version": 0})["version"] + 1
        unsaved = self._unsaved.get(name)
        if unsaved is None or (unsaved.value, unsaved.version) != (value, version):
            self._unsaved[name] = unsaved = _Entry(value, version, self._clock.now())
        return unsaved

    def _text(self) -> str:
        return self.path.read_text(encoding="utf-8") if self.path.exists() else ""

    def _known(self) -> dict[str, Any]:
        return dict(json.loads(self._versions.read_text(encoding="utf-8"))) if self._versions.exists() else {}

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other writers out, in this process and others. The lock's file is empty and stays."""
        lock = self.path.with_name(f"{self.path.name}.lock")
        lock.touch(mode=0o600)
        with lock.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreUnavailableError(f"the file {self.path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError):
            problem = f"the file {self._versions} is broken: remove it and restart, and log in once more"
            raise StoreUnavailableError(problem) from None


class FileTokenStore:
    """Keeps the token in the file."""

    def __init__(self, file: EnvFile) -> None:
        self._file = file

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self._file.path)

    def read(self) -> AccessToken | None:
        """Read the token; None when there is none."""
        found = self._file.read(TOKEN)
        return AccessToken(found.value, found.version, found.written_at) if found else None

    def peek(self) -> TokenStamp | None:
        """Read generation and time."""
        found = self._file.read(TOKEN)
        return TokenStamp(found.version, found.written_at) if found else None

    def write(self, value: str) -> int:
        """Store a new token; returns its generation."""
        return self._file.write(TOKEN, value)


class FileParameters:
    """Keeps the settings in the file."""

    def __init__(self, file: EnvFile) -> None:
        self._file = file

    def read(self, name: str) -> Parameter | None:
        """Read one; None when the file does not hold it."""
        found = self._file.read(name)
        return Parameter(found.value, found.version) if found else None

    def exists(self, name: str) -> bool:
        """Tell whether the file holds it."""
        return self._file.read(name) is not None

    def write(self, name: str, value: str, *, secret: bool) -> int:
        """Write one; returns its new version. The whole file is for its owner's eyes only, secret or not."""
        del secret
        return self._file.write(name, value)


class WatchedFileBus:
    """Announces by the file itself, which the worker watches: its stamp of change is renewed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def announce(self, event: TokenRotated) -> None:
        """Wake whoever watches the file; the event's facts are read from it."""
        del event
        try:
            self._path.touch(mode=0o600)
        except OSError as error:
            raise StoreUnavailableError(f"the file {self._path}: {error.strerror}") from error


def _fingerprint(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:16]
