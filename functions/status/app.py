"""The status function's entry: API Gateway's event in, its answer out. Whatever happens, the answer is a clean one."""

import logging
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from functions.web import page

from .problems import CONTENT_TYPE, problem

log = logging.getLogger(__name__)


def answer(app: APIGatewayHttpResolver, event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request: HEAD as GET without its body, every answer with the security headers, and never a trace."""
    http = event.get("requestContext", {}).get("http", {})
    head = http.get("method") == "HEAD"
    if head:
        event = {**event, "requestContext": {**event["requestContext"], "http": {**http, "method": "GET"}}}
    try:
        response = app.resolve(event, context)
    except Exception:
        log.exception("failed on %s", http.get("path"))
        failed = problem(HTTPStatus.INTERNAL_SERVER_ERROR, "This is a fault of ours; the log has it.")
        response = {"statusCode": failed.status_code, "body": failed.body, "headers": {"Content-Type": CONTENT_TYPE}}
    response["headers"] = {**page.security_headers(), **response.get("headers", {})}
    if head:
        response["body"] = ""
    return response
