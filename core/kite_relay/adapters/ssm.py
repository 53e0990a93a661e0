"""The access token and the settings beside it, in SSM Parameter Store."""

from collections.abc import Callable
from datetime import UTC
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from kite_relay.adapters.aws import aws_errors, error_code
from kite_relay.domain.token import AccessToken, TokenStamp
from kite_relay.ports import Parameter

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_ssm.type_defs import ParameterTypeDef

PLAIN = ("relay_keys", "market_overrides")
"""What is no secret; all else is, and is learned when read."""


def _get(client: "SSMClient", name: str, *, decrypt: bool) -> "ParameterTypeDef | None":
    with aws_errors(f"reading {name} from SSM"):
        try:
            return client.get_parameter(Name=name, WithDecryption=decrypt)["Parameter"]
        except ClientError as error:
            if error_code(error) == "ParameterNotFound":
                return None
            raise


def _put(client: "SSMClient", name: str, value: str, *, secret: bool) -> int:
    with aws_errors(f"writing {name} to SSM"):
        kind = "SecureString" if secret else "String"
        return client.put_parameter(Name=name, Value=value, Type=kind, Overwrite=True)["Version"]  # type: ignore[arg-type]


class SsmTokenStore:
    """Keeps the token in a SecureString. SSM's version of the parameter is the token's generation.

    Args:
        client: botocore's SSM client.
        name: the parameter's full name.
        learn: told every secret that passes, so that no log shows it.
    """

    def __init__(self, client: "SSMClient", name: str, learn: Callable[[str], None]) -> None:
        self._client = client
        self._name = name
        self._learn = learn

    @property
    def name(self) -> str:
        """The parameter's full name."""
        return self._name

    def read(self) -> AccessToken | None:
        """Read and decrypt the token; None when none was ever written."""
        found = _get(self._client, self._name, decrypt=True)
        if found is None:
            return None
        self._learn(found["Value"])
        return AccessToken(found["Value"], found["Version"], found["LastModifiedDate"].astimezone(UTC))

    def peek(self) -> TokenStamp | None:
        """Read generation and time; SSM does not decrypt for this, and the reader needs no right to."""
        found = _get(self._client, self._name, decrypt=False)
        return TokenStamp(found["Version"], found["LastModifiedDate"].astimezone(UTC)) if found else None

    def write(self, value: str) -> int:
        """Store a new token; returns the version that SSM gave it."""
        self._learn(value)
        return _put(self._client, self._name, value, secret=True)


class SsmParameters:
    """The settings under one prefix.

    Args:
        client: botocore's SSM client.
        prefix: such as `/kite-relay`.
        learn: told every secret that passes, so that no log shows it.
    """

    def __init__(self, client: "SSMClient", prefix: str, learn: Callable[[str], None]) -> None:
        self._client = client
        self._prefix = prefix.rstrip("/")
        self._learn = learn

    def read(self, name: str) -> Parameter | None:
        """Read one, decrypted if it is a secret; None when it does not exist."""
        found = _get(self._client, f"{self._prefix}/{name}", decrypt=name not in PLAIN)
        if found is None:
            return None
        if name not in PLAIN:
            self._learn(found["Value"])
        return Parameter(found["Value"], found["Version"])

    def exists(self, name: str) -> bool:
        """Tell whether it stands there, without decrypting it."""
        return _get(self._client, f"{self._prefix}/{name}", decrypt=False) is not None

    def write(self, name: str, value: str, *, secret: bool) -> int:
        """Write one; returns its new version."""
        if secret:
            self._learn(value)
        return _put(self._client, f"{self._prefix}/{name}", value, secret=secret)
