"""What the command line knows of a deployed stack: its outputs."""

from collections.abc import Mapping

from kite_relay.adapters.aws import aws_errors, make_client
from kite_relay.domain.errors import ConfigurationError

DEFAULT_STACK = "kite-relay"


def read_outputs(stack: str) -> Mapping[str, str]:
    """Ask CloudFormation for a stack's outputs.

    Raises:
        ConfigurationError: there is no such stack here, or no access; says what to check.
    """
    client = make_client("cloudformation")
    try:
        with aws_errors(f"reading the stack {stack}"):
            found = client.describe_stacks(StackName=stack)["Stacks"][0]
    except ConfigurationError as error:
        raise ConfigurationError(
            f"{error}. Is the stack deployed in this account and region? (AWS_PROFILE, AWS_REGION)"
        ) from None
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
