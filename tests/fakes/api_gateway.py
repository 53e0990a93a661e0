"""API Gateway's events (HTTP API, payload 2.0) and a browser that keeps its cookies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

CONTEXT = SimpleNamespace(
    function_name="login",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:ap-south-1:123456789012:function:login",
    aws_request_id="test",
)
Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def event(
    method: str,
    target: str,
    *,
    headers: Mapping[str, str] | None = None,
    cookies: list[str] | None = None,
    body: str | None = None,
) -> dict[str, Any]:
    """Make the event of one request, as API Gateway does."""
    path, _, query = target.partition("?")
    return {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "abc.execute-api.ap-south-1.amazonaws.com", **(headers or {})},
        **({"cookies": cookies} if cookies else {}),
        "requestContext": {
            "domainName": "abc.execute-api.ap-south-1.amazonaws.com",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "t"},
            "requestId": "test",
            "stage": "$default",
        },
        **({"body": body} if body is not None else {}),
        "isBase64Encoded": False,
    }


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    cookies: list[str]
    body: str

    @property
    def location(self) -> str:
        """Give where it redirects to."""
        return self.headers["Location"]


@dataclass
class Browser:
    """Keeps cookies, and follows our own redirects when asked to."""

    handler: Handler
    jar: dict[str, str] = field(default_factory=dict)

    def request(self, method: str, target: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Send one request with the cookies that stand in the jar, and take those that come back."""
        cookies = [f"{name}={value}" for name, value in self.jar.items()]
        raw = self.handler(event(method, target, headers=headers, cookies=cookies), CONTEXT)
        answer = Answer(raw["statusCode"], raw["headers"], raw.get("cookies", []), raw.get("body", ""))
        for cookie in answer.cookies:
            name, _, value = cookie.split(";")[0].partition("=")
            if "Max-Age=0" in cookie:
                self.jar.pop(name, None)
            else:
                self.jar[name] = value
        return answer

    def get(self, target: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Send a GET."""
        return self.request("GET", target, headers)

    def follow(self, target: str) -> Answer:
        """Send a GET and follow the redirects to pages of ours."""
        answer = self.get(target)
        while answer.status in (302, 303) and not urlsplit(answer.location).netloc:
            answer = self.get(answer.location)
        return answer
