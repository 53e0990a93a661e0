"""How a file is replaced: at once and for good. Whoever reads it, or crashes, sees the old content or the new one."""

import os
import tempfile
from pathlib import Path

UNFINISHED = ".new"


def replace(path: Path, data: bytes) -> None:
    """Replace a file, readable by its owner only; a full disk leaves the old one as it was, and nothing beside it."""
    path = path.resolve()
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def sweep(folder: Path) -> None:
    """Remove what writers left that were killed; for a folder with one writer only."""
    for unfinished in folder.glob(f".*{UNFINISHED}"):
        unfinished.unlink(missing_ok=True)
