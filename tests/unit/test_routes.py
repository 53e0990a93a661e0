"""The same routes everywhere: in the template, in the embedded AWS, and on one machine."""

from types import SimpleNamespace
from typing import Any

import pytest

from functions.status.routes import LOGINS_ROUTES
from tests.policies import Template
from tools.devstack.gateway import Gateway
from tools.devstack.wiring import Deployed, wire_routes

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PATHS = (
    "/", "/login", "/callback", "/logout", "/login/result/abc", "/login/result/", "/login/result/a/b", "/login/x",
    "/api/token-status", "/api/feed-ticket", "/static/0/page.css", "/no/such/place",
)  # fmt: skip


def routes() -> dict[str, str]:
    """Read the template's routes: the route key, and the function behind it."""
    return {
        f"{event['Properties']['Method']} {event['Properties']['Path']}": name
        for name, function in Template().of_type("AWS::Serverless::Function").items()
        for event in function["Properties"].get("Events", {}).values()
        if event["Type"] == "HttpApi"
    }


def fits(pattern: str, path: str) -> bool:
    """Tell whether a path fits a route's, as API Gateway reads it."""
    if pattern.endswith("/{proxy+}"):
        prefix = pattern.removesuffix("{proxy+}")
        return path.startswith(prefix) and path != prefix
    wanted, given = pattern.split("/"), path.split("/")
    return len(wanted) == len(given) and all(
        bool(part) if name.startswith("{") else name == part for name, part in zip(wanted, given, strict=True)
    )


def chosen(method: str, path: str) -> str | None:
    """Choose as API Gateway does: the whole path before a greedy one, the named method before ANY."""
    found = [
        (pattern.endswith("{proxy+}"), verb == "ANY", function)
        for (verb, _, pattern), function in ((key.partition(" "), function) for key, function in routes().items())
        if verb in ("ANY", method) and fits(pattern, path)
    ]
    return min(found)[2] if found else None


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", METHODS)
def test_one_machine_routes_as_the_template(method: str, path: str) -> None:
    """Every request has an answer of ours, whatever its method; and the login's function gets its own four only."""
    name, _ = Gateway(lambda *_: {}, lambda *_: {}).route(method, path)
    assert chosen(method, path) == {"login": "LoginFunction", "status": "StatusFunction"}[name]


def test_only_its_own_routes_reach_the_function_that_may_write_the_token() -> None:
    """The catch-all stands before the function with the fewest rights."""
    ours = {key for key, function in routes().items() if function == "LoginFunction"}
    assert ours == {f"{method} {path}" for path, method in LOGINS_ROUTES.items()}


def test_the_embedded_aws_gets_every_route_once() -> None:
    """SAM writes a route for every method in a way of its own."""
    integration = {"uri": {"Fn::Sub": "arn:..${StatusFunction.Arn}/invocations"}, "payloadFormatVersion": "2.0"}
    verbs = {"x-amazon-apigateway-any-method": {"x-amazon-apigateway-integration": integration}}
    paths = {
        "/": verbs,
        "/{proxy+}": verbs,
        "/x": {"get": {"x-amazon-apigateway-integration": integration}},
        "/old": {"get": {"x-amazon-apigateway-integration": integration}},
    }
    template = {"Resources": {"HttpApi": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Body": {"paths": paths}}}}}
    made: list[dict[str, Any]] = []
    aws: Any = SimpleNamespace(
        cloudformation=SimpleNamespace(get_template=lambda **_: {"TemplateBody": template}),
        functions=SimpleNamespace(get_function=lambda **_: {"Configuration": {"FunctionArn": "arn:status"}}),
        apigateway=SimpleNamespace(
            get_routes=lambda **_: {"Items": [{"RouteKey": "GET /old"}]},
            create_integration=lambda **_: {"IntegrationId": "i1"},
            create_route=lambda **route: made.append(route),
        ),
    )
    deployed = Deployed({}, {"HttpApi": "api", "StatusFunction": "kite-relay-status"})
    assert wire_routes(aws, "kite-relay", deployed) == ["ANY /", "ANY /{proxy+}", "GET /x"]
    assert [route["RouteKey"] for route in made] == ["ANY /", "ANY /{proxy+}", "GET /x"]
