"""Errors, grouped by what the operator must do.

KiteRelayError
├── NeedsHumanError          only a person can mend it: the message says what to do
│   ├── ConfigurationError       a setting, a parameter or a permission is wrong
│   │   └── AccessRefusedError       AWS refuses us, for a reason that is a finding of its own
│   ├── LoginRefusedError        a login that must not count: a forged state, another user, Zerodha's no
│   ├── TokenRejectedError       Kite answered 403: this access token is dead
│   └── LimitExceededError       more was asked than Kite or the relay allows
├── WillPassError            the network, Kite or AWS is in trouble: try again later, nothing is lost
│   ├── KiteUnavailableError
│   └── StoreUnavailableError    SSM, DynamoDB, EventBridge, SQS or the file behind a port
└── MalformedError           a message, frame or document that is not what its sender promised: dropped, named, counted
"""


class KiteRelayError(Exception):
    """The root: every error of ours that is not a bug."""


class NeedsHumanError(KiteRelayError):
    """Only a person can mend it; the message says what to do."""


class ConfigurationError(NeedsHumanError):
    """A setting, a parameter or a permission is wrong."""


class AccessRefusedError(ConfigurationError):
    """AWS refuses us, for a reason that is a finding of its own.

    Args:
        message: what was asked, and what AWS answered.
        finding: the finding's code, such as `aws_key`.
    """

    def __init__(self, message: str, finding: str) -> None:
        super().__init__(message)
        self.finding = finding


class LoginRefusedError(NeedsHumanError):
    """A login that must not count."""


class TokenRejectedError(NeedsHumanError):
    """Kite answered 403: this access token is dead, and asking again with it is useless."""


class LimitExceededError(NeedsHumanError):
    """More was asked than Kite or the relay allows; nothing that already flows is disturbed."""


class WillPassError(KiteRelayError):
    """Trouble that ends by itself: try again later, nothing is lost."""


class KiteUnavailableError(WillPassError):
    """Kite did not answer, or answered with its own trouble (5xx, 429, time-out)."""


class StoreUnavailableError(WillPassError):
    """What stands behind a port (SSM, DynamoDB, EventBridge, SQS, a file) did not answer."""


class MalformedError(KiteRelayError):
    """A message, frame or document that is not what its sender promised."""
