"""The function login_callback: the one that may write the token.

The event is never logged: its query string holds the request token.
"""

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from functions.log import ScrubbedLine
from functions.web import page
from kite_relay.config import LoginDeployable, login_deployable
from kite_relay.logging import install
from kite_relay.usecases.publish_token import STORE_ERRORS

from . import pages
from .routes import Routes

log = Logger(logger_formatter=ScrubbedLine())


@cache
def deployable() -> LoginDeployable:
    """Wire once per process; a failure is tried again by the next request."""
    return login_deployable()


routes = Routes(lambda: deployable(), log)  # noqa: PLW0108 - looked up at each call, so that a test can replace it


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request of the HTTP API; every answer, a failure's too, carries the strict headers."""
    install()
    try:
        answer = routes.app.resolve(event, context)
    except STORE_ERRORS as error:
        log.error("a request could not be served", extra={"error": str(error)})  # noqa: TRY400 - a sentence, no trace
        answer = _told(pages.NOT_SET_UP)
    except Exception:
        log.exception("a request failed")
        answer = _told(pages.BROKEN)
    answer["headers"] = {**answer.get("headers", {}), **page.security_headers()}
    return answer


def _told(what: pages.Page) -> dict[str, Any]:
    return {
        "statusCode": what.status,
        "headers": {"Content-Type": "text/html; charset=utf-8"},
        "body": what.render(),
    }
