"""API Gateway's HTTP API on this machine: requests become events (payload 2.0), answers become responses."""

import asyncio
import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from aiohttp import web

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
LARGEST_BODY = 64 * 1024
"""None of our routes takes more than a few bytes."""


def make_event(
    method: str,
    target: str,
    *,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    domain: str = "localhost",
    source_ip: str = "127.0.0.1",
) -> dict[str, Any]:
    """Make the event of one request: header names small, repeated ones joined, cookies apart, the path decoded."""
    path, _, query = target.partition("?")
    joined: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in headers:
        if name.lower() == "cookie":
            cookies += [cookie.strip() for cookie in value.split(";")]
        else:
            joined[name.lower()] = f"{joined[name.lower()]},{value}" if name.lower() in joined else value
    path = unquote(path)
    return {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": query,
        "headers": joined,
        **({"cookies": cookies} if cookies else {}),
        "requestContext": {
            "domainName": domain,
            "requestId": uuid4().hex,
            "stage": "$default",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": source_ip,
                "userAgent": joined.get("user-agent", ""),
            },
        },
        **({"body": base64.b64encode(body).decode()} if body else {}),
        "isBase64Encoded": bool(body),
    }


def make_context(name: str) -> Any:
    """Make what Lambda hands over beside the event."""
    return SimpleNamespace(
        function_name=name,
        memory_limit_in_mb=512,
        invoked_function_arn=f"arn:aws:lambda:local:000000000000:function:{name}",
        aws_request_id=uuid4().hex,
    )


@dataclass
class Gateway:
    """Serves the functions' routes over HTTP.

    Args:
        login: the handler of login_callback.
        status: the handler of status.
        domain: the name by which browsers reach it.
    """

    login: Handler
    status: Handler
    domain: str = "localhost"
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)
    """A Lambda's process serves one request at a time, and Powertools relies on it."""

    def application(self) -> web.Application:
        """Make the web application."""
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", self._answer)
        return app

    def route(self, method: str, path: str) -> tuple[str, Handler]:
        """Choose the function as the template's routes do: what is not the login's is the status function's."""
        if (method, path) in {("GET", "/login"), ("GET", "/callback"), ("POST", "/logout")}:
            return "login", self.login
        name = path.removeprefix("/login/result/")
        if method == "GET" and name not in {path, ""} and "/" not in name:
            return "login", self.login
        return "status", self.status

    async def _answer(self, request: web.Request) -> web.Response:
        name, handler = self.route(request.method, request.path)
        event = make_event(
            request.method,
            request.raw_path,
            headers=request.headers.items(),
            body=await request.read(),
            domain=self.domain,
            source_ip=request.remote or "",
        )
        async with self._one_at_a_time:
            answer = await asyncio.to_thread(handler, event, make_context(name))
        return to_response(answer)


def to_response(answer: Mapping[str, Any]) -> web.Response:
    """Make the HTTP response of a function's answer."""
    text = str(answer.get("body") or "")
    body = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
    response = web.Response(status=int(answer["statusCode"]), body=body)
    for name, value in (answer.get("headers") or {}).items():
        response.headers[name] = str(value)
    for cookie in answer.get("cookies") or ():
        response.headers.add("Set-Cookie", cookie)
    return response
