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


@pytest.mark.usefixtures("stacks")
def test_a_stack_fills_the_environment(elsewhere: Path) -> None:
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


@pytest.mark.usefixtures("stacks")
def test_no_stack_says_what_to_do(elsewhere: Path) -> None:
    """The three ways out stand in the message."""
    with pytest.raises(ConfigurationError, match=r"no stack 'kite-relay' in ap-south-1.*setup.*STACK_NAME.*ENV_FILE"):
        place.variables({})


def test_a_complete_environment_asks_nobody(elsewhere: Path) -> None:
    """It needs no AWS at all, and what is set to nothing is not set."""
    assert place.variables({"BOARD_TABLE": "t", "EMPTY": ""}) == {"BOARD_TABLE": "t"}


def test_one_machines_file_tells_the_rest(elsewhere: Path) -> None:
    """Its settings and what follows from them, but no secret; the environment goes first."""
    path = elsewhere / "mine.env"
    path.write_text("KITE_API_SECRET=unseen\nKITE_API_ROOT=http://127.0.0.1:1\nRELAY_PORT=9\nALLOWED_USER_IDS=AB1234\n")
    assert place.variables({"ENV_FILE": str(path), "ALLOWED_USER_IDS": "CD5678"}) == {
        "ENV_FILE": str(path),
        "ALLOWED_USER_IDS": "CD5678",
        "KITE_API_ROOT": "http://127.0.0.1:1",
        "RELAY_PORT": "9",
        "RELAY_URL": "ws://localhost:9",
        "STATUS_URL": "http://localhost:4600",
        "LOGIN_URL": "http://localhost:4600/login",
    }
    path.write_text("PUBLIC_URL=https://kite.example.com/\n")
    found = place.variables({"ENV_FILE": str(path)})
    assert (found["LOGIN_URL"], found["RELAY_URL"]) == ("https://kite.example.com/login", "")
    with pytest.raises(ConfigurationError, match=r"nowhere: No such file.*setup --env-file nowhere"):
        place.variables({"ENV_FILE": "nowhere"})


@pytest.mark.usefixtures("stacks")
def test_a_file_of_ours_here_is_the_place(elsewhere: Path) -> None:
    """Where `serve` finds its file, the other verbs do; a stack that is named, or a bot's own file, goes before."""
    path = elsewhere / ".env"
    path.write_text("KITE_API_KEY=of-a-bot\n")
    with pytest.raises(ConfigurationError, match="no stack"):
        place.variables({})
    path.write_text("KITE_API_KEY=key\nALLOWED_USER_IDS=AB1234\n")
    assert place.variables({})["ENV_FILE"] == ".env"
    with pytest.raises(ConfigurationError, match="no stack 'other'"):
        place.variables({"STACK_NAME": "other"})
    (elsewhere / "samconfig.toml").touch()
    with pytest.raises(ConfigurationError, match="no stack"):
        place.variables({})


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
