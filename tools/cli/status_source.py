"""Where `status` has its truth from: the stores themselves, judged by the same use case, or a dashboard's address."""

import json
import os
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from kite_relay.domain.errors import ConfigurationError, MalformedError, WillPassError

Body = dict[str, Any]


def source(url: str | None) -> Callable[[], Body]:
    """Choose: a given address is asked; otherwise the stores are."""
    return _over_http(url) if url else _from_stores()


def _from_stores() -> Callable[[], Body]:
    from kite_relay.adapters.calendar import CalendarSource  # noqa: PLC0415 - AWS's client costs half a second
    from kite_relay.config import status_deployable  # noqa: PLC0415 - the same
    from kite_relay.usecases import status_bodies  # noqa: PLC0415 - the same
    from kite_relay.usecases.report_status import ReportStatus, Sources  # noqa: PLC0415 - the same
    from tools.cli.place import variables  # noqa: PLC0415 - the same

    given = variables()
    made = status_deployable(given)
    calendar = CalendarSource(made.parameters)
    report = ReportStatus(Sources(made.tokens, made.parameters, made.board, made.clock, calendar))
    login = given.get("LOGIN_URL", "kite-relay login")
    return lambda: status_bodies.detailed(report.report(login_url=login), full=True)


def _over_http(url: str) -> Callable[[], Body]:
    import urllib3  # noqa: PLC0415 - only an address needs it

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"{url!r} is no address: give the dashboard's, like https://example.execute-api...")
    key = os.environ.get("KITE_RELAY_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    pool = urllib3.PoolManager(timeout=8.0, retries=False)
    address = f"{parts.scheme}://{parts.netloc}/api/health/detailed"

    def ask() -> Body:
        try:
            answer = pool.request("GET", address, headers=headers, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise WillPassError(
                f"{address} does not answer ({type(error).__name__}): is it the right address, and up?"
            ) from None
        if answer.status not in (HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE):
            raise WillPassError(f"{address} answers {answer.status}; is it a kite-relay dashboard?")
        return _read(answer.data, address)

    return ask


def _read(data: bytes, address: str) -> Body:
    try:
        body = json.loads(data)
    except ValueError:
        body = None
    if not isinstance(body, dict) or "verdict" not in body:
        raise MalformedError(f"{address} is no kite-relay dashboard: it answers something else")
    return body
