"""Every error has one shape: RFC 9457's `application/problem+json`."""

import json
from collections.abc import Mapping
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

CONTENT_TYPE = "application/problem+json"


def problem(status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> Response[str]:
    """Answer with an error: what happened, and what to do.

    Args:
        status: the HTTP status.
        detail: a sentence for a person.
        headers: more headers, such as `Allow`.
    """
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    return Response(status.value, CONTENT_TYPE, json.dumps(body), headers=dict(headers or {}))
