"""The status function's entry: API Gateway's event in, its answer out. Whatever happens, the answer is a clean one."""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from functions.web import page
from kite_relay.domain.errors import ConfigurationError
from kite_relay.logging import install

from .problems import CONTENT_TYPE, problem
from .routes import build
from .services import from_environment

log = logging.getLogger(__name__)


def answer(app: Callable[[], APIGatewayHttpResolver], event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request: HEAD as GET without its body, every answer with the security headers, and never a trace.

    Args:
        app: gives the resolver.
        event: API Gateway's event.
        context: Lambda's context.
    """
    http = event.get("requestContext", {}).get("http", {})
    head = http.get("method") == "HEAD"
    if head:
        event = {**event, "requestContext": {**event["requestContext"], "http": {**http, "method": "GET"}}}
    try:
        response = app().resolve(event, context)
    except Exception:
        log.exception("failed on %r", http.get("path"))  # quoted: a path may hold a line end
        failed = problem(HTTPStatus.INTERNAL_SERVER_ERROR, "This is a fault of ours; the log has it.")
        response = {"statusCode": failed.status_code, "body": failed.body, "headers": {"Content-Type": CONTENT_TYPE}}
    response["headers"] = {**page.security_headers(), **response.get("headers", {})}
    if head:
        response["body"] = ""
    return response


@cache
def resolver() -> APIGatewayHttpResolver:
    """Wire the routes; once per process.

    Raises:
        ConfigurationError: the environment is not complete; tells every problem.
    """
    return build(from_environment(os.environ))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take an event of API Gateway's HTTP API (payload 2.0)."""
    install()
    return answer(resolver, event, context)


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    # While a Lambda starts it has a whole processor, afterwards a share of one: what is slow is done now. What cannot
    # be done now fails again, and is told, with the first request.
    with suppress(ConfigurationError):
        resolver()
