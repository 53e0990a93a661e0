"""A browser that keeps its cookies, before a function behind API Gateway."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.fakes.canaries import watch
from tools.devstack.gateway import Handler, make_context, make_event

DOMAIN = "abc.execute-api.ap-south-1.amazonaws.com"


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
        given = {"host": DOMAIN, **(headers or {})}
        if self.jar:
            given["cookie"] = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        raw = self.handler(make_event(method, target, headers=given.items(), domain=DOMAIN), make_context("login"))
        answer = Answer(raw["statusCode"], raw["headers"], raw.get("cookies", []), raw.get("body", ""))
        watch.look(f"the page {target.partition('?')[0]}", f"{answer.headers}\n{answer.body}")
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
