"""The wizard over AWS's own answers: secrets to SSM, the rest to samconfig.toml, and the deployment on request."""

import tomllib
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner, Result

from kite_relay.domain.errors import ConfigurationError
from tools.cli import main, setup

SECRET = "s3cretS3cretS3cret"
TEMPLATE = """
Resources: {Queue: {Type: "AWS::SQS::Queue"}}
Outputs: {RedirectUrl: {Value: "https://abc.execute-api.ap-south-1.amazonaws.com/callback"}}
"""


@pytest.fixture
def elsewhere(aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder, before AWS."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(stack: str, *options: str) -> Result:
    """Answer the questions, two of them wrongly at first."""
    typed = f"1st\n{stack}\nnot an id\nab1234\nwss://relay.example.com\nkey123456789\n{SECRET}\n"
    return CliRunner().invoke(main.app, ["setup", *options], input=typed)


def test_secrets_go_to_ssm_and_the_rest_to_samconfig(elsewhere: Path) -> None:
    """Both secrets are encrypted under the stack's own prefix; none is echoed, and none stands in a file."""
    result = run("wizard-one", "--no-deploy")
    assert result.exit_code == 0, result.output
    assert result.output.count("That is none") == 2
    ssm = boto3.client("ssm")
    for name, value in (("api_key", "key123456789"), ("api_secret", SECRET)):
        found: Any = ssm.get_parameter(Name=f"/wizard-one/{name}", WithDecryption=True)["Parameter"]
        assert (found["Type"], found["Value"]) == ("SecureString", value)
    text = (elsewhere / "samconfig.toml").read_text()
    assert SECRET not in text + result.output
    told = tomllib.loads(text)["default"]["deploy"]["parameters"]
    assert (told["stack_name"], told["region"]) == ("wizard-one", "ap-south-1")
    assert told["parameter_overrides"] == 'AllowedUserIds="AB1234" RelayUrl="wss://relay.example.com"'
    assert [path.name for path in elsewhere.iterdir()] == ["samconfig.toml"]
    again = CliRunner().invoke(main.app, ["setup", "--no-deploy"], input="\nCD5678\n\nn\nn\n")
    assert again.exit_code == 0, again.output
    assert ssm.get_parameter(Name="/wizard-one/api_key")["Parameter"]["Version"] == 1


@pytest.mark.usefixtures("stacks")
@pytest.mark.parametrize(("code", "word"), [(0, "amazonaws.com/callback"), (2, "failed")])
def test_it_deploys_on_request(elsewhere: Path, monkeypatch: pytest.MonkeyPatch, code: int, word: str) -> None:
    """With what it has written, and then it tells the redirect URL; a failure is told, and nothing more."""
    stack = f"wizard-deploy-{code}"

    def deploy(*arguments: str) -> int:
        assert arguments == ("deploy", f"ARGS=--config-file {elsewhere / 'samconfig.toml'}")
        boto3.client("cloudformation").create_stack(StackName=stack, TemplateBody=TEMPLATE)
        return code

    monkeypatch.setattr(setup, "run_make", deploy)
    result = run(stack, "--deploy")
    assert word in result.output + str(result.exception)
    assert isinstance(result.exception, ConfigurationError) == bool(code)
