"""Starts MiniStack, run by its own environment, with one gap mended: an HTTP API hands the cookies over as a list.

AWS moves the header `cookie` of a request into the event's `cookies` (payload format 2.0); MiniStack 1.5.33 leaves it.
Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from typing import Any

from ministack.app import main
from ministack.services import lambda_svc

_execute = lambda_svc._execute_function_with_config_scope  # noqa: SLF001 - the one place all invocations pass


def _execute_as_aws(record: Any, event: Any, *rest: Any, **named: Any) -> Any:
    if isinstance(event, dict) and event.get("version") == "2.0" and "cookies" not in event:
        header = event["headers"].pop("cookie", None)
        if header:
            event["cookies"] = [cookie.strip() for cookie in header.split(";") if cookie.strip()]
    return _execute(record, event, *rest, **named)


if __name__ == "__main__":
    lambda_svc._execute_function_with_config_scope = _execute_as_aws  # noqa: SLF001 - the same
    main()
