"""Settings from the environment: every problem is collected, and all are told at once."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from kite_relay.domain.errors import ConfigurationError

T = TypeVar("T")


class Environment:
    """Reads variables and remembers what was wrong; `check` raises once, with every problem."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._problems: list[str] = []

    def get(self, name: str, default: str | None = None, parse: Callable[[str], T] = str) -> T:  # type: ignore[assignment]
        """Read one variable; without a default it must be set. A problem is remembered, and told by `check`."""
        text = self._variables.get(name) or default
        if text is None:
            self._problems.append(f"{name} is not set")
            return None  # type: ignore[return-value]  # never used: check() raises before
        try:
            return parse(text)
        except ValueError as error:
            self._problems.append(f"{name}: {error}")
            return None  # type: ignore[return-value]  # never used: check() raises before

    def check(self) -> None:
        """Raise if anything was wrong.

        Raises:
            ConfigurationError: every problem, in one sentence.
        """
        if self._problems:
            raise ConfigurationError("the environment is not complete: " + "; ".join(self._problems))
