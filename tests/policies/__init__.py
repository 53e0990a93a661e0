"""The template's policies, read and judged: an evaluator for the part of IAM that they use, and not more."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from cfnlint.decode import cfn_yaml

ROOT = Path(__file__).parents[2]
STACK = "kite-relay"
PSEUDO = {
    "AWS::StackName": STACK,
    "AWS::Region": "ap-south-1",
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}
ARNS = {
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:ap-south-1:123456789012:table/{TableName}",
    "AWS::Events::EventBus": "arn:aws:events:ap-south-1:123456789012:event-bus/{Name}",
    "AWS::Logs::LogGroup": "arn:aws:logs:ap-south-1:123456789012:log-group:{LogGroupName}:*",
    "AWS::Serverless::Function": "arn:aws:lambda:ap-south-1:123456789012:function:{FunctionName}",
    "AWS::SNS::Topic": "arn:aws:sns:ap-south-1:123456789012:{TopicName}",
    "AWS::SQS::Queue": "arn:aws:sqs:ap-south-1:123456789012:{QueueName}",
}
"""What `!GetAtt X.Arn` gives, for the types that policies name."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy, its resources resolved for a stack in one account."""

    sid: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Mapping[str, Any] = field(default_factory=dict)

    def matches(self, action: str, resource: str, context: Mapping[str, Sequence[str]]) -> bool:
        """Tell whether the statement speaks about this request."""
        return (
            any(fnmatchcase(action.lower(), pattern.lower()) for pattern in self.actions)
            and any(fnmatchcase(resource, pattern) for pattern in self.resources)
            and all(_holds(operator, tests, context) for operator, tests in self.conditions.items())
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """All that one principal may do."""

    principal: str
    statements: tuple[Statement, ...]
    document: str

    def decide(
        self, action: str, resource: str, context: Mapping[str, Sequence[str]] | None = None
    ) -> Statement | None:
        """Give the statement that allows a request; None when it is denied, by word or by silence."""
        matching = [one for one in self.statements if one.matches(action, resource, context or {})]
        if any(one.effect == "Deny" for one in matching):
            return None
        return next((one for one in matching if one.effect == "Allow"), None)


def _holds(operator: str, tests: Mapping[str, Any], context: Mapping[str, Sequence[str]]) -> bool:
    if operator == "Null":
        return all((key not in context) == (wanted == "true") for key, wanted in tests.items())
    if operator == "StringNotEquals":
        return all(set(context.get(key, ())).isdisjoint(_listed(values)) for key, values in tests.items())
    if operator != "ForAllValues:StringLike":
        raise NotImplementedError(f"this evaluator does not know {operator}")
    return all(
        any(fnmatchcase(value, pattern) for pattern in _listed(patterns))
        for key, patterns in tests.items()
        for value in context.get(key, ())
    )


def _listed(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


class Template:
    """`template.yaml`, with its references resolved as CloudFormation would for the stack `kite-relay`."""

    def __init__(self, path: Path = ROOT / "template.yaml") -> None:
        self._template: Any = cfn_yaml.load(str(path))
        self.resources: dict[str, Any] = self._template["Resources"]
        self._values: dict[str, str] = PSEUDO | {
            name: str(parameter.get("Default", name)) for name, parameter in self._template["Parameters"].items()
        }

    def of_type(self, kind: str) -> dict[str, Any]:
        """Give the resources of a type by their logical names."""
        return {name: one for name, one in self.resources.items() if one["Type"] == kind}

    def resolve(self, value: Any) -> Any:
        """Replace what CloudFormation would replace."""
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if not isinstance(value, dict):
            return value
        match list(value.items()):
            case [("Ref", name)]:
                return self._values.get(name, name)
            case [("Fn::Sub", text)]:
                return re.sub(r"\$\{([\w:.]+)}", lambda found: self._named(found[1]), text)
            case [("Fn::GetAtt", target)]:
                return self._attribute(*(target.split(".") if isinstance(target, str) else target))
        return {key: self.resolve(item) for key, item in value.items()}

    def policies(self) -> dict[str, Policy]:
        """Give every role's and the worker's policy by the logical name of the role or user."""
        found = {}
        for name, role in self.of_type("AWS::IAM::Role").items():
            found[name] = self._policy(name, [one["PolicyDocument"] for one in role["Properties"]["Policies"]])
        for policy in self.of_type("AWS::IAM::ManagedPolicy").values():
            for user in policy["Properties"]["Users"]:
                found[user["Ref"]] = self._policy(user["Ref"], [policy["Properties"]["PolicyDocument"]])
        return found

    def _policy(self, principal: str, documents: list[Any]) -> Policy:
        statements = [self.resolve(one) for document in documents for one in document["Statement"]]
        return Policy(
            principal,
            tuple(
                Statement(
                    one["Sid"],
                    one["Effect"],
                    _listed(one["Action"]),
                    _listed(one["Resource"]),
                    one.get("Condition", {}),
                )
                for one in statements
            ),
            json.dumps({"Version": "2012-10-17", "Statement": statements}),
        )

    def _named(self, name: str) -> str:
        if name in self._values:
            return self._values[name]
        logical, _, attribute = name.partition(".")
        return self._attribute(logical, attribute) if attribute else name

    def _attribute(self, logical: str, attribute: str) -> str:
        resource = self.resources[logical]
        properties = self.resolve(resource["Properties"])
        if attribute == "Arn" and resource["Type"] in ARNS:
            return ARNS[resource["Type"]].format(**properties)
        return str(properties.get(attribute, f"{logical}.{attribute}"))
