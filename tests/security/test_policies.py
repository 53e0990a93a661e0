"""Least privilege, read from the template: who may do what, and that nobody may do more."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.policies import Policy, Statement, Template

pytestmark = pytest.mark.promise(6)

TEMPLATE = Template()
POLICIES = TEMPLATE.policies()
PARAMETER = "arn:aws:ssm:ap-south-1:123456789012:parameter/kite-relay/"
TOKEN = PARAMETER + "access_token"
BOARD = "arn:aws:dynamodb:ap-south-1:123456789012:table/kite-relay-board"
QUEUE = "arn:aws:sqs:ap-south-1:123456789012:kite-relay-announcements"
BUS = "arn:aws:events:ap-south-1:123456789012:event-bus/kite-relay"
KEY = "arn:aws:kms:ap-south-1:123456789012:key/0a1b2c3d"


def statements(effect: str) -> list[tuple[str, Statement]]:
    """List all statements of an effect with their principals."""
    return [(name, one) for name, policy in POLICIES.items() for one in policy.statements if one.effect == effect]


def keys(*names: str) -> dict[str, tuple[str, ...]]:
    """Give the condition context of a DynamoDB call for items of these keys."""
    return {"dynamodb:LeadingKeys": names}


def of_parameter(name: str) -> dict[str, tuple[str, ...]]:
    """Give the condition context in which SSM asks KMS for a parameter's value."""
    return {"kms:EncryptionContext:PARAMETER_ARN": (PARAMETER + name,)}


@pytest.fixture
def login() -> Policy:
    """What login_callback may do."""
    return POLICIES["LoginRole"]


@pytest.fixture
def status() -> Policy:
    """What status may do."""
    return POLICIES["StatusRole"]


@pytest.fixture
def reminder() -> Policy:
    """What reminder may do."""
    return POLICIES["ReminderRole"]


@pytest.fixture
def worker() -> Policy:
    """What the worker may do."""
    return POLICIES["WorkerUser"]


def test_every_function_has_a_role_of_its_own() -> None:
    """A shared role, or SAM's default one, would give one function what another needs."""
    roles = [
        one["Properties"]["Role"]["Fn::GetAtt"][0] for one in TEMPLATE.of_type("AWS::Serverless::Function").values()
    ]
    assert len(set(roles)) == len(roles)
    assert set(roles) <= set(POLICIES)
    for role in TEMPLATE.of_type("AWS::IAM::Role").values():
        assert "ManagedPolicyArns" not in role["Properties"]


def test_nothing_is_allowed_by_wildcard(measured: Callable[[str, object], None]) -> None:
    """No wildcard action, and no wildcard resource: the one star left is a log group's own ARN, for its streams."""
    allowed = statements("Allow")
    wild = [(who, action) for who, one in allowed for action in one.actions if "*" in action]
    for who, statement in allowed:
        for resource in statement.resources:
            if "*" in resource.removesuffix(":*" if ":log-group:" in resource else ""):
                wild.append((who, resource))
            assert "kite-relay" in resource, f"{who}: scoped by the stack's name"
    measured("statements", len(allowed))
    measured("wildcards", len(wild))
    assert allowed
    assert wild == []


def test_the_only_deny_takes_decryption_away_from_status() -> None:
    """The key aws/ssm lets everybody in the account decrypt what they may read; a Deny is the only way out."""
    assert [(name, one.actions) for name, one in statements("Deny") if name == "StatusRole"] == [
        ("StatusRole", ("kms:Decrypt",))
    ]


def test_status_reads_and_cannot_decrypt(status: Policy) -> None:
    """It sees that a token stands there, never which one; it writes nothing anywhere."""
    denials = [one for one in status.statements if one.effect == "Deny"]
    for name in ("access_token", "api_key", "api_secret", "notify_urls"):
        assert any(one.matches("kms:Decrypt", KEY, of_parameter(name)) for one in denials)
    assert status.decide("ssm:GetParameter", TOKEN)
    assert status.decide("dynamodb:BatchGetItem", BOARD, keys("token", "worker"))
    assert not status.decide("kms:Decrypt", KEY)
    assert not status.decide("ssm:GetParameter", PARAMETER + "api_secret")
    assert not status.decide("ssm:PutParameter", TOKEN)
    assert not status.decide("dynamodb:PutItem", BOARD, keys("token"))
    assert not status.decide("events:PutEvents", BUS)


def test_login_alone_writes_the_token(login: Policy) -> None:
    """It stores and announces, and knows nothing of ticks, relay keys or the queue."""
    assert login.decide("ssm:PutParameter", TOKEN)
    assert login.decide("events:PutEvents", BUS)
    assert login.decide("dynamodb:PutItem", BOARD, keys("login#abc"))
    assert login.decide("dynamodb:PutItem", BOARD, keys("session#abc"))
    assert not login.decide("ssm:PutParameter", PARAMETER + "api_secret")
    assert not login.decide("ssm:GetParameter", PARAMETER + "relay_keys")
    assert not login.decide("dynamodb:PutItem", BOARD, keys("worker"))
    assert not login.decide("dynamodb:BatchGetItem", BOARD, keys("ticket_key"))
    assert not login.decide("sqs:ReceiveMessage", QUEUE)
    writers = [name for name, policy in POLICIES.items() if policy.decide("ssm:PutParameter", TOKEN)]
    assert writers == ["LoginRole"]


def test_the_worker_reads_one_token_and_drains_one_queue(worker: Policy) -> None:
    """A stolen droplet can neither set the token nor make itself an owner's session."""
    assert worker.decide("ssm:GetParameter", TOKEN)
    assert worker.decide("ssm:GetParameter", PARAMETER + "market_overrides")
    assert worker.decide("sqs:ReceiveMessage", QUEUE)
    assert worker.decide("sqs:DeleteMessage", QUEUE)
    assert worker.decide("dynamodb:PutItem", BOARD, keys("worker"))
    assert worker.decide("dynamodb:UpdateItem", BOARD, keys("timeline#2026-11-24"))
    assert worker.decide("dynamodb:BatchGetItem", BOARD, keys("ticket_key"))
    assert not worker.decide("dynamodb:BatchGetItem", BOARD, keys("session#of the owner"))
    assert not worker.decide("ssm:PutParameter", TOKEN)
    assert not worker.decide("ssm:GetParameter", PARAMETER + "api_secret")
    assert not worker.decide("ssm:GetParameter", "arn:aws:ssm:ap-south-1:123456789012:parameter/other/access_token")
    assert not worker.decide("sqs:SendMessage", QUEUE)
    assert not worker.decide("sqs:ReceiveMessage", QUEUE.replace("announcements", "dead-letters"))
    assert not worker.decide("dynamodb:PutItem", BOARD, keys("session#forged"))
    assert not worker.decide("dynamodb:PutItem", BOARD, keys("token"))
    assert not worker.decide("events:PutEvents", BUS)


def test_the_reminder_decrypts_its_channels_and_nothing_else(reminder: Policy) -> None:
    """It sees when the token was written, never the token; it remembers what it told, and writes nothing else."""
    denials = [one for one in reminder.statements if one.effect == "Deny"]
    assert not any(one.matches("kms:Decrypt", KEY, of_parameter("notify_urls")) for one in denials)
    assert all(one.matches("kms:Decrypt", KEY, of_parameter("access_token")) for one in denials)
    assert reminder.decide("ssm:GetParameter", PARAMETER + "notify_urls")
    assert reminder.decide("ssm:GetParameter", TOKEN)
    assert reminder.decide("dynamodb:PutItem", BOARD, keys("nudge#2026-11-25#08:00"))
    assert reminder.decide("dynamodb:DeleteItem", BOARD, keys("nudge#2026-11-25#08:00"))
    assert reminder.decide("dynamodb:PutItem", BOARD, keys("notify"))
    assert not reminder.decide("ssm:GetParameter", PARAMETER + "api_secret")
    assert not reminder.decide("ssm:PutParameter", TOKEN)
    assert not reminder.decide("dynamodb:PutItem", BOARD, keys("token"))
    assert not reminder.decide("dynamodb:PutItem", BOARD, keys("session#forged"))
    assert not reminder.decide("dynamodb:BatchGetItem", BOARD, keys("ticket_key"))


def test_no_deny_keeps_lambda_from_a_functions_own_environment() -> None:
    """Lambda decrypts it as the function's role, by a grant on the key aws/lambda; a Deny would win over the grant."""
    of_environment = {"kms:EncryptionContext:aws:lambda:FunctionArn": ("arn:aws:lambda:ap-south-1:123456789012:x",)}
    denials = statements("Deny")
    assert {name for name, _ in denials} == {"StatusRole", "ReminderRole"}
    assert not [name for name, one in denials if one.matches("kms:Decrypt", KEY, of_environment)]


def test_only_the_two_rules_may_send_to_the_queues() -> None:
    """EventBridge as a service is not enough: any account's rule could send then."""
    (policy,) = TEMPLATE.of_type("AWS::SQS::QueuePolicy").values()
    (statement,) = TEMPLATE.resolve(policy["Properties"]["PolicyDocument"]["Statement"])
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": ["TokenRotatedRule.Arn", "TokenChangedRule.Arn"]}}


def parliaments_findings(document: str) -> str:
    """Ask the second reader of policies, which has AWS's own list of actions, resources and conditions."""
    program = str(Path(sys.executable).with_name("parliament"))
    found: subprocess.CompletedProcess[str] = subprocess.run(  # noqa: S603 - our own program, our own policy
        [program, "--include-community-auditors", "--string", document],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_parliament_finds_nothing(policy: Policy) -> None:
    """Every action exists, fits its resource and its conditions."""
    assert parliaments_findings(policy.document) == ""


def test_parliament_would_find_a_mistake() -> None:
    """The silence above means something: a misspelt action is found."""
    policy = POLICIES["WorkerUser"].document.replace("sqs:ReceiveMessage", "sqs:RecieveMessage")
    assert "RecieveMessage" in parliaments_findings(policy)


def test_every_name_carries_the_stacks() -> None:
    """Two stacks in one account must not meet: whatever has a name of its own has the stack's in it."""
    named = {
        "AWS::DynamoDB::Table": "TableName",
        "AWS::Events::EventBus": "Name",
        "AWS::Events::Rule": "Name",
        "AWS::Logs::LogGroup": "LogGroupName",
        "AWS::Serverless::Function": "FunctionName",
        "AWS::Serverless::HttpApi": "Name",
        "AWS::Serverless::LayerVersion": "LayerName",
        "AWS::Scheduler::Schedule": "Name",
        "AWS::CloudWatch::Alarm": "AlarmName",
        "AWS::CloudWatch::Dashboard": "DashboardName",
        "AWS::SNS::Topic": "TopicName",
        "AWS::SQS::Queue": "QueueName",
    }
    for kind, attribute in named.items():
        for logical, resource in TEMPLATE.of_type(kind).items():
            name = resource["Properties"].get(attribute)
            assert name is None or "AWS::StackName" in str(name), f"{logical}.{attribute} = {name}"
