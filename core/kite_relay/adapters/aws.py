"""What the AWS adapters share: impatient clients, and errors without anybody's values in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    InvalidRegionError,
    NoAuthTokenError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
)
from botocore.session import get_session

from kite_relay.adapters.skew import Heard
from kite_relay.domain.errors import AccessRefusedError, ConfigurationError, StoreUnavailableError

CONNECT_SECONDS = 2
READ_SECONDS = 4
ATTEMPTS = 2

DENIED, KEY, MISSING = "aws_denied", "aws_key", "aws_missing"
"""The findings of a refusal: a right, a good key or the thing itself is not there."""

_NO_KEY_ERRORS = (
    CredentialRetrievalError,
    NoAuthTokenError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)
_SETUP_ERRORS = (InvalidRegionError, NoRegionError, ParamValidationError)
_DENIED_CODES = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation")
_SIGNATURE_CODES = ("InvalidSignatureException", "SignatureDoesNotMatch")
_CLOCK_CODES = ("RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed")
_CLOCK_WORDS = ("Signature expired", "Signature not yet current")
"""How AWS begins the message to a signature whose time it does not take; the same codes tell of a wrong key."""
_REFUSALS = {
    **dict.fromkeys(_DENIED_CODES, DENIED),
    **dict.fromkeys(
        (
            *_SIGNATURE_CODES,
            "ExpiredToken",
            "ExpiredTokenException",
            "IncompleteSignature",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "MissingAuthenticationToken",
            "UnrecognizedClientException",
        ),
        KEY,
    ),
    **dict.fromkeys(
        (
            "InvalidAddress",
            "InvalidKeyId",
            "NonExistentQueue",
            "QueueDoesNotExist",
            "ResourceNotFoundException",
        ),
        MISSING,
    ),
}
_SETUP_CODES = ("ParameterPatternMismatchException", "ValidationException")


def make_client(
    service: Any, *, read_seconds: float = READ_SECONDS, attempts: int = ATTEMPTS, heard: Heard | None = None
) -> Any:
    """Make a client that gives up soon: whoever calls has a browser, a socket or a timer waiting.

    Args:
        service: such as `ssm`.
        read_seconds: how long an answer may keep silent.
        attempts: how often a call is tried.
        heard: told what time it is at AWS, by each answer.

    Raises:
        ConfigurationError: no region is named.
    """
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=read_seconds,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )
    with aws_errors(service):
        client = get_session().create_client(service, config=config)
    if heard:
        _listen(client, heard)
    return client


def _listen(client: Any, heard: Heard) -> None:
    """Tell the time of every answer, a refusal's too."""

    def before(context: dict[str, Any], **_: Any) -> None:
        context["kite_relay_began"] = monotonic()

    def after(http_response: Any, context: dict[str, Any], **_: Any) -> None:
        heard(http_response.headers.get("date"), monotonic() - context["kite_relay_began"])

    client.meta.events.register("before-call", before)
    client.meta.events.register("after-call", after)


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
        raise _translated(what, error) from None
    except _NO_KEY_ERRORS as error:
        raise AccessRefusedError(f"{what}: {type(error).__name__}", KEY) from None
    except _SETUP_ERRORS as error:
        raise ConfigurationError(f"{what}: {type(error).__name__}") from None
    except BotoCoreError as error:
        raise StoreUnavailableError(f"{what}: {type(error).__name__}") from None


def _translated(what: str, error: ClientError) -> ConfigurationError | StoreUnavailableError:
    code, sentence = error_code(error), str(error.response.get("Error", {}).get("Message") or "")
    if code in _CLOCK_CODES or (code in _SIGNATURE_CODES and sentence.startswith(_CLOCK_WORDS)):
        return ConfigurationError(f"{what}: AWS answered {code}, because this machine's clock is wrong")
    finding = _REFUSALS.get(code)
    if finding:
        return AccessRefusedError(f"{what}: {(finding == DENIED and sentence) or f'AWS answered {code}'}", finding)
    if code in _SETUP_CODES:
        return ConfigurationError(f"{what}: AWS answered {code}")
    return StoreUnavailableError(f"{what}: AWS answered {code}")
