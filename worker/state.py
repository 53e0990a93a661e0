"""The state folder: what a restart remembers. A disk that is full or read-only costs that memory, and nothing else."""

import contextlib
from pathlib import Path
from typing import Any

import structlog

from kite_relay.adapters.files import replace, sweep
from kite_relay.ports import Clock

log = structlog.get_logger(__name__)


class StateFolder:
    """Keeps files, each replaced whole.

    Args:
        path: where; made if absent.
        clock: tells since when nothing can be kept.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._problems: dict[str, dict[str, Any]] = {}
        with contextlib.suppress(OSError):
            sweep(path)

    def read(self, name: str) -> bytes | None:
        """Read a file; None when it is not there or cannot be read."""
        try:
            return (self._path / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("the state was not read", path=str(self._path / name), error=str(error))
            return None

    def keep(self, name: str, data: bytes) -> None:
        """Replace a file; trouble is a finding until the next time that it works."""
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            replace(self._path / name, data)
        except OSError as error:
            log.warning("the state was not kept", path=str(self._path / name), error=str(error))
            finding = {"code": "state_unwritable", "since": self._clock.now().isoformat()}
            self._problems.setdefault(name, finding)["detail"] = f"{self._path}: {error.strerror}"
        else:
            self._problems.pop(name, None)

    def findings(self) -> list[dict[str, Any]]:
        """Tell that something cannot be kept, and since when."""
        return list(self._problems.values())[:1]
