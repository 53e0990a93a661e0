"""What the AWS adapters share: impatient clients, and errors without anybody's values in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    InvalidRegionError,
    NoAuthTokenError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
)
from botocore.session import get_session

from kite_relay.domain.errors import ConfigurationError, StoreUnavailableError

CONNECT_SECONDS = 2
READ_SECONDS = 4
ATTEMPTS = 2

_SETUP_ERRORS = (
    InvalidRegionError,
    NoAuthTokenError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
)
_DENIED = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation")
_SETUP_CODES = (
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidKeyId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "NonExistentQueue",
    "ParameterPatternMismatchException",
    "QueueDoesNotExist",
    "ResourceNotFoundException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
    "ValidationException",
)


def make_client(service: Any, *, read_seconds: float = READ_SECONDS, attempts: int = ATTEMPTS) -> Any:
    """Make a client that gives up soon: whoever calls has a browser, a socket or a timer waiting.

    Raises:
        ConfigurationError: no region is named.
    """
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=read_seconds,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )
    with aws_errors(service):
        return get_session().create_client(service, config=config)


def error_code(error: ClientError) -> str:
    """Name what AWS answered, without the service's prefix (`AWS.SimpleQueueService.`)."""
    return str(error.response.get("Error", {}).get("Code", "unknown")).rsplit(".", 1)[-1]


@contextmanager
def aws_errors(what: str) -> Iterator[None]:
    """Translate botocore's errors into ours.

    Only the code is told, and AWS's own sentence where access is denied: a validation error's sentence quotes the
    value, which may be the secret. For the same reason the original is not chained.

    Raises:
        ConfigurationError: access is refused, or the thing does not exist: a person must mend it.
        StoreUnavailableError: AWS is in trouble, or cannot be reached.
    """
    try:
        yield
    except ClientError as error:
        code = error_code(error)
        if code in _DENIED:
            raise ConfigurationError(f"{what}: {error.response['Error'].get('Message') or code}") from None
        if code in _SETUP_CODES:
            raise ConfigurationError(f"{what}: AWS answered {code}") from None
        raise StoreUnavailableError(f"{what}: AWS answered {code}") from None
    except _SETUP_ERRORS as error:
        raise ConfigurationError(f"{what}: {type(error).__name__}") from None
    except BotoCoreError as error:
        raise StoreUnavailableError(f"{what}: {type(error).__name__}") from None
