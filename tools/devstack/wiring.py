"""What the deployed stack needs before it can be used: its outputs, its HTTP routes, its secrets."""

import json
import re
from dataclasses import dataclass
from typing import Any

from tools.devstack.cloud import Clients

ANY_METHOD = "x-amazon-apigateway-any-method"
"""How an OpenAPI body writes a route for every method."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """The outputs of the deployed stack, by name, and what stands behind each logical name."""

    outputs: dict[str, str]
    physical: dict[str, str]

    @classmethod
    def read(cls, aws: Clients, stack: str) -> "Deployed":
        """Ask CloudFormation."""
        described = aws.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        summaries = aws.cloudformation.list_stack_resources(StackName=stack)["StackResourceSummaries"]
        return cls(
            {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]},
            {row["LogicalResourceId"]: row["PhysicalResourceId"] for row in summaries},
        )


def wire_routes(aws: Clients, stack: str, deployed: Deployed) -> list[str]:
    """Make the HTTP API's routes as the template's OpenAPI body says them: MiniStack takes the body, and drops it."""
    template: Any = aws.cloudformation.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
    resources = (json.loads(template) if isinstance(template, str) else template)["Resources"]
    made = []
    for name, resource in resources.items():
        if resource["Type"] != "AWS::ApiGatewayV2::Api":
            continue
        api = deployed.physical[name]
        have = {route["RouteKey"] for route in aws.apigateway.get_routes(ApiId=api)["Items"]}
        for path, operations in resource["Properties"]["Body"]["paths"].items():
            for verb, operation in operations.items():
                key = f"{'ANY' if verb == ANY_METHOD else verb.upper()} {path}"
                if key not in have:
                    _wire(aws, api, key, operation["x-amazon-apigateway-integration"], deployed)
                    made.append(key)
    return made


def _wire(aws: Clients, api: str, key: str, integration: Any, deployed: Deployed) -> None:
    named = re.search(r"\$\{(\w+)\.Arn\}", json.dumps(integration["uri"]))
    if named is None:
        raise ValueError(f"the route {key} names no function: {integration['uri']}")
    function = aws.functions.get_function(FunctionName=deployed.physical[named[1]])["Configuration"]["FunctionArn"]
    target = aws.apigateway.create_integration(
        ApiId=api,
        IntegrationType="AWS_PROXY",
        IntegrationUri=function,
        PayloadFormatVersion=integration["payloadFormatVersion"],
    )
    aws.apigateway.create_route(ApiId=api, RouteKey=key, Target=f"integrations/{target['IntegrationId']}")


def seed(aws: Clients, prefix: str, *, secrets: dict[str, str], plain: dict[str, str]) -> None:
    """Write the parameters that a person writes once with `kite-relay setup`."""
    for name, value in secrets.items():
        aws.ssm.put_parameter(Name=f"{prefix}/{name}", Value=value, Type="SecureString", Overwrite=True)
    for name, value in plain.items():
        aws.ssm.put_parameter(Name=f"{prefix}/{name}", Value=value, Type="String", Overwrite=True)
