"""Where the command line looks: one machine's `.env` file, an environment that names everything, or a stack in AWS."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kite_relay.domain.errors import ConfigurationError
from tools.env_file import public_url, read_settings, relay_url

DEFAULT_STACK = "kite-relay"
SAMCONFIG = Path("samconfig.toml")
ENV_FILE = Path(".env")
OUTPUTS = {
    "ParameterPrefix": "PARAMETER_PREFIX",
    "BoardTableName": "BOARD_TABLE",
    "EventBusName": "EVENT_BUS",
    "QueueUrl": "QUEUE_URL",
    "DeadLettersUrl": "DEAD_LETTERS_URL",
    "StatusUrl": "STATUS_URL",
    "LoginUrl": "LOGIN_URL",
    "RedirectUrl": "REDIRECT_URL",
    "WorkerUserName": "WORKER_USER",
}
"""The stack's outputs, and the variables that they fill."""
PARAMETERS = {
    "RelayUrl": "RELAY_URL",
    "AllowedUserIds": "ALLOWED_USER_IDS",
    "KiteApiRoot": "KITE_API_ROOT",
    "KiteLoginRoot": "KITE_LOGIN_ROOT",
}
IN_FILE = (*PARAMETERS.values(), "PUBLIC_URL", "RELAY_PORT")
"""What the command line takes from one machine's file; secrets are read only by whoever needs them."""


def variables(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Give the environment, completed from the machine's file, or from the stack when it does not name everything.

    Raises:
        ConfigurationError: there is neither a file nor a stack; says what to do.
        StoreUnavailableError: AWS does not answer.
    """
    given = {name: value for name, value in environment.items() if value}
    if path := _env_file(given):
        return _one_machine(given, path)
    return given if "BOARD_TABLE" in given else {**stack_variables(stack_name(given)), **given}


def _env_file(given: Mapping[str, str]) -> Path | None:
    """Find one machine's file: ENV_FILE, or a `.env` here that is ours, unless a stack is named."""
    if "ENV_FILE" in given:
        return Path(given["ENV_FILE"])
    named = {"STACK_NAME", "BOARD_TABLE"} & given.keys() or SAMCONFIG.exists() or not ENV_FILE.is_file()
    ours = ("KITE_API_KEY", "ALLOWED_USER_IDS")
    return None if named or len(read_settings(ENV_FILE, ours)) < len(ours) else ENV_FILE


def _one_machine(given: Mapping[str, str], path: Path) -> dict[str, str]:
    found = {**read_settings(path, IN_FILE), **given, "ENV_FILE": str(path)}
    page = public_url(found)
    derived = {"STATUS_URL": page, "LOGIN_URL": f"{page}/login", "RELAY_URL": relay_url(found, page)}
    return {**derived, **found}


def is_named(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a stack or a machine's file is named here at all, without asking AWS."""
    names = ("ENV_FILE", "STACK_NAME", "BOARD_TABLE", "PARAMETER_PREFIX")
    given = {name: environment[name] for name in names if environment.get(name)}
    return bool(given) or SAMCONFIG.exists() or _env_file(given) is not None


def stack_name(environment: Mapping[str, str]) -> str:
    """Name the stack: STACK_NAME, or samconfig.toml's, or `kite-relay`."""
    return environment.get("STACK_NAME") or samconfig().get("stack_name") or DEFAULT_STACK


def samconfig(path: Path = SAMCONFIG) -> dict[str, Any]:
    """Read what `sam deploy` was told here; nothing when there is no such file."""
    try:
        settings = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    default = settings.get("default", {})
    return {**default.get("global", {}).get("parameters", {}), **default.get("deploy", {}).get("parameters", {})}


def use_samconfigs_region(environment: "os._Environ[str]" = os.environ) -> None:
    """Let AWS's client find the region that `sam deploy` was told, unless the environment names one."""
    region = samconfig().get("region")
    if region and not environment.get("AWS_REGION") and not environment.get("AWS_DEFAULT_REGION"):
        environment["AWS_DEFAULT_REGION"] = str(region)


def stack_variables(name: str) -> dict[str, str]:
    """Ask CloudFormation what the stack is made of.

    Raises:
        ConfigurationError: there is no such stack, or no right to see it; says what to do.
        StoreUnavailableError: AWS does not answer.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - a machine of its own needs none of AWS

    from kite_relay.adapters.aws import aws_errors, error_code, make_client  # noqa: PLC0415 - the same

    use_samconfigs_region()
    require_aws()
    with aws_errors(f"asking for the stack {name!r}"):
        client = make_client("cloudformation")
        try:
            found = client.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if error_code(error) == "ValidationError":
                raise ConfigurationError(_no_stack(name, client.meta.region_name)) from None
            raise
    filled = {
        OUTPUTS[it["OutputKey"]]: it["OutputValue"] for it in found.get("Outputs", ()) if it["OutputKey"] in OUTPUTS
    }
    told = {
        PARAMETERS[it["ParameterKey"]]: it["ParameterValue"]
        for it in found.get("Parameters", ())
        if it["ParameterKey"] in PARAMETERS and it.get("ParameterValue")
    }
    return {"STACK_NAME": name, **told, **filled}


def require_aws() -> None:
    """Tell what AWS's client lacks before it is asked for anything.

    Raises:
        ConfigurationError: no region, or no credentials; says what to do.
    """
    from botocore.session import get_session  # noqa: PLC0415 - a machine of its own needs none of AWS

    session = get_session()
    elsewhere = "or name a single machine's file with ENV_FILE"
    if not session.get_config_variable("region"):
        raise ConfigurationError(f"no AWS region is named: set AWS_REGION (Mumbai is ap-south-1), {elsewhere}")
    if session.get_credentials() is None:
        raise ConfigurationError(
            f"no AWS credentials are found: run `aws configure` or `aws sso login`, or set AWS_PROFILE, {elsewhere}"
        )


def _no_stack(name: str, region: str) -> str:
    return (
        f"there is no stack {name!r} in {region}: deploy one with `kite-relay setup`, name another one with STACK_NAME "
        "or AWS_REGION, or name a single machine's file with ENV_FILE"
    )
