"""The newest frames of a stream: so many at most, and so many bytes, whichever is less."""

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Any

Fields = dict[Any, Any]


class Backlog:
    """Frames in their order; the oldest go when there are too many or too large ones.

    Args:
        count: frames at most.
        size: bytes at most; the newest frame is kept however large it is.
    """

    def __init__(self, count: int, size: int) -> None:
        self._count = count
        self._size = size
        self._frames: deque[Fields] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._frames)

    def append(self, frame: Fields) -> None:
        """Add the newest."""
        self._frames.append(frame)
        self._bytes += len(frame["d"])
        self._trim()

    def put_before(self, frames: Iterable[Fields]) -> None:
        """Add older ones, in their order."""
        older = list(frames)
        self._frames.extendleft(reversed(older))
        self._bytes += sum(len(frame["d"]) for frame in older)
        self._trim()

    def first(self, count: int) -> list[Fields]:
        """Give the oldest."""
        return list(islice(self._frames, count))

    def done(self, frame: Fields) -> None:
        """Remove a frame, if it still is the oldest."""
        if self._frames and self._frames[0] is frame:
            self._drop()

    def take(self) -> list[Fields]:
        """Give all, and keep none."""
        frames, self._frames, self._bytes = list(self._frames), deque(), 0
        return frames

    def _trim(self) -> None:
        while len(self._frames) > self._count or (self._bytes > self._size and len(self._frames) > 1):
            self._drop()

    def _drop(self) -> None:
        self._bytes -= len(self._frames.popleft()["d"])
