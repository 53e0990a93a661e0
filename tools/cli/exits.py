"""How the command line ends: a few numbers that scripts can rely on."""

from enum import IntEnum

from kite_relay.domain.errors import (
    ConfigurationError,
    KiteRelayError,
    LimitExceededError,
    LoginRefusedError,
    TokenRejectedError,
)


class Exits(IntEnum):
    """The exit codes; `docs/cli.md` explains them."""

    OK = 0
    BUG = 1
    USAGE = 2
    NEEDS_LOGIN = 3
    DEGRADED = 4
    CONFIGURATION = 5
    STOPPED = 130


def exit_for(error: KiteRelayError) -> Exits:
    """Choose the code by what the operator must do about the error."""
    match error:
        case ConfigurationError():
            return Exits.CONFIGURATION
        case LoginRefusedError() | TokenRejectedError():
            return Exits.NEEDS_LOGIN
        case LimitExceededError():
            return Exits.USAGE
    return Exits.DEGRADED
