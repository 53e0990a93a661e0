"""The command line finds its stack: outputs and parameters become the variables that everything reads."""

import os
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import pytest

from kite_relay.domain.errors import ConfigurationError
from tools.cli import place

TEMPLATE = """
Parameters: {RelayUrl: {Type: String}, AllowedUserIds: {Type: String}}
Resources: {Queue: {Type: "AWS::SQS::Queue"}}
Outputs:
  ParameterPrefix: {Value: /mine}
  BoardTableName: {Value: mine-board}
  QueueUrl: {Value: !Ref Queue}
"""


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_stack_fills_the_environment(aws: str, elsewhere: Path) -> None:
    """What the environment says itself goes before the stack's word."""
    given: Any = [
        {"ParameterKey": "RelayUrl", "ParameterValue": "wss://relay.example"},
        {"ParameterKey": "AllowedUserIds", "ParameterValue": "AB1234"},
    ]
    boto3.client("cloudformation").create_stack(StackName="mine", TemplateBody=TEMPLATE, Parameters=given)
    (elsewhere / "samconfig.toml").write_text('[default.deploy.parameters]\nstack_name = "mine"\n')
    found = place.variables({"RELAY_URL": "ws://127.0.0.1:4603"})
    assert found["STACK_NAME"] == "mine"
    assert found["BOARD_TABLE"] == "mine-board"
    assert found["PARAMETER_PREFIX"] == "/mine"
    assert found["ALLOWED_USER_IDS"] == "AB1234"
    assert found["RELAY_URL"] == "ws://127.0.0.1:4603"


def test_no_stack_says_what_to_do(aws: str, elsewhere: Path) -> None:
    """The three ways out stand in the message."""
    with pytest.raises(ConfigurationError, match=r"no stack 'kite-relay' in ap-south-1.*setup.*STACK_NAME.*ENV_FILE"):
        place.variables({})


def test_one_machine_asks_nobody(elsewhere: Path) -> None:
    """A file, or a complete environment, needs no AWS at all."""
    assert place.variables({"ENV_FILE": "x", "EMPTY": ""}) == {"ENV_FILE": "x"}
    assert place.variables({"BOARD_TABLE": "t"}) == {"BOARD_TABLE": "t"}


def test_what_aws_lacks_is_told_before_it_is_asked(elsewhere: Path) -> None:
    """No region and no credentials are the two first stumbles."""
    nothing = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with mock.patch.dict(os.environ, nothing, clear=True):
        with pytest.raises(ConfigurationError, match="AWS_REGION"):
            place.variables({})
        (elsewhere / "samconfig.toml").write_text('[default.deploy.parameters]\nregion = "ap-south-1"\n')
        with pytest.raises(ConfigurationError, match="aws configure"):
            place.variables({})


def test_a_broken_samconfig_is_named(elsewhere: Path) -> None:
    """The file's own error is shown."""
    (elsewhere / "samconfig.toml").write_text("[")
    with pytest.raises(ConfigurationError, match=r"samconfig\.toml cannot be read"):
        place.stack_name({})
