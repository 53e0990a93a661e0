"""Kite's REST side, the three calls that we need, without the official client's Twisted.

Source: https://kite.trade/docs/connect/v3/user/ and https://kite.trade/docs/connect/v3/exceptions/. A contract test
compares the signed POST with the official client's.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from time import monotonic
from typing import Any
from urllib.parse import urlencode

import urllib3

from kite_relay.adapters.skew import Heard
from kite_relay.domain.errors import KiteUnavailableError, LoginRefusedError, TokenRejectedError
from kite_relay.domain.token import IST
from kite_relay.ports import KiteLogin, Parameters, required

CONNECT_SECONDS = 3.0
READ_SECONDS = 7.0
LONGEST_MESSAGE = 200
_HEADERS = {"X-Kite-Version": "3", "User-Agent": "kite-relay"}
_TROUBLE = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


class KiteRest:
    """Talks to Kite with the app's keys. Nothing is tried twice: a request token can be spent once only.

    Args:
        root: such as https://api.kite.trade.
        parameters: where `api_key` and `api_secret` stand; read at each call, so that a new secret counts at once.
        learn: told every secret that passes, so that no log shows it.
        heard: told what time it is at Kite, by each answer.
    """

    def __init__(
        self, root: str, parameters: Parameters, learn: Callable[[str], None], heard: Heard = lambda *_: None
    ) -> None:
        self._root = root.rstrip("/")
        self._parameters = parameters
        self._learn = learn
        self._heard = heard
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        self._pool = urllib3.PoolManager(timeout=timeout, retries=False)

    def exchange(self, request_token: str) -> KiteLogin:
        """Spend the request token.

        Raises:
            LoginRefusedError: Kite says no; its message, without the token.
            KiteUnavailableError: no answer, or trouble of Kite's own. The request token may be spent.
        """
        self._learn(request_token)
        api_key, api_secret = required(self._parameters, "api_key"), required(self._parameters, "api_secret")
        checksum = hashlib.sha256(f"{api_key}{request_token}{api_secret}".encode()).hexdigest()
        form = {"api_key": api_key, "request_token": request_token, "checksum": checksum}
        status, answer = self._ask("POST", "/session/token", body=urlencode(form))
        if status != HTTPStatus.OK:
            raise LoginRefusedError(_message(answer).replace(request_token, "***"))
        return self._login(answer)

    def _login(self, answer: Mapping[str, Any]) -> KiteLogin:
        data = answer.get("data")
        token = data.get("access_token") if isinstance(data, Mapping) else None
        user_id = data.get("user_id") if isinstance(data, Mapping) else None
        if not isinstance(data, Mapping) or not isinstance(token, str) or not isinstance(user_id, str) or not token:
            raise KiteUnavailableError("Kite's answer to the login holds no access token")
        self._learn(token)
        return KiteLogin(token, user_id, _instant(data.get("login_time")))

    def profile(self, access_token: str) -> str:
        """Ask `/user/profile`; returns the user id.

        Raises:
            TokenRejectedError: Kite answered 403.
        """
        api_key = required(self._parameters, "api_key")
        headers = {"Authorization": f"token {api_key}:{access_token}"}
        status, answer = self._ask("GET", "/user/profile", headers=headers)
        if status == HTTPStatus.FORBIDDEN:
            raise TokenRejectedError(_message(answer))
        data = answer.get("data")
        if status != HTTPStatus.OK or not isinstance(data, Mapping):
            raise KiteUnavailableError(f"Kite answered {status} to /user/profile: {_message(answer)}")
        return str(data.get("user_id", ""))

    def invalidate(self, access_token: str) -> None:
        """Kill the token at Kite; one that is already dead is no error."""
        query = urlencode({"api_key": required(self._parameters, "api_key"), "access_token": access_token})
        status, answer = self._ask("DELETE", f"/session/token?{query}")
        if status not in (HTTPStatus.OK, HTTPStatus.FORBIDDEN):
            raise KiteUnavailableError(f"Kite answered {status} to the logout: {_message(answer)}")

    def _ask(
        self, method: str, path: str, *, body: str | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, Any]]:
        """Make one request; the original error is not chained, because it names the URL."""
        form = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        began = monotonic()
        try:
            answer = self._pool.request(
                method, self._root + path, body=body, headers={**_HEADERS, **form, **(headers or {})}, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise KiteUnavailableError(f"Kite did not answer: {type(error).__name__}") from None
        self._heard(answer.headers.get("Date"), monotonic() - began)
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in _TROUBLE:
            raise KiteUnavailableError(f"Kite answered {answer.status}")
        try:
            document = json.loads(answer.data)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, Mapping):
            raise KiteUnavailableError(f"Kite answered {answer.status} and no JSON object")
        return answer.status, document


def _message(answer: Mapping[str, Any]) -> str:
    return str(answer.get("message") or "no reason given")[:LONGEST_MESSAGE]


def _instant(text: Any) -> datetime:
    """Read Kite's login_time, IST without a zone; now, when it is not there."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=IST).astimezone(UTC)
    except (TypeError, ValueError):
        return datetime.now(UTC)
