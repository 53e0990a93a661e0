"""Whatever arrives, the status function answers cleanly: a documented status, the one error shape, no fault of ours."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from functions.status.app import answer
from functions.status.routes import ROUTES
from tests.fakes.status_api import DOMAIN, OWNER_COOKIE, StatusApi, http_event
from tests.fakes.world import World

WORLD = World()
WORLD.live()
API = StatusApi(WORLD)
API.log_in()

texts = st.text(max_size=60)
paths = st.one_of(st.sampled_from(list(ROUTES)), st.builds("/api/{}".format, texts), st.builds("/{}".format, texts))
methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", ""])
names = st.one_of(st.sampled_from(["authorization", "origin", "host", "Accept", "x-forwarded-host"]), texts)


@settings(deadline=None)
@given(
    path=paths,
    method=methods,
    query=st.dictionaries(st.one_of(st.just("date"), texts), texts, max_size=3),
    headers=st.dictionaries(names, texts, max_size=4),
    cookies=st.lists(st.one_of(texts, st.just(OWNER_COOKIE), st.just("__Host-kr-owner")), max_size=3),
)
def test_no_request_makes_it_fail(
    path: str, method: str, query: dict[str, str], headers: dict[str, str], cookies: list[str]
) -> None:
    """Paths, methods, queries, headers and cookies of any kind."""
    found = API.ask(path, method, query=query, headers=headers, cookies=cookies)
    assert found.status in (200, 400, 401, 403, 404, 405, 503)
    assert found.headers["Cache-Control"] == "no-store"
    if found.status >= 400 and method != "HEAD":
        assert json.loads(found.body)["status"] == found.status
        assert found.headers["Content-Type"] == "application/problem+json"


@settings(deadline=None)
@given(
    st.dictionaries(texts, st.one_of(st.none(), texts, st.integers()), max_size=4),
    st.sampled_from([DOMAIN, "", "localhost"]),
)
def test_an_incomplete_event_is_answered(extra: dict[str, Any], domain: str) -> None:
    """Keys that API Gateway leaves out, and keys that nobody knows."""
    event = http_event("GET", "/api/token-status") | extra
    event["requestContext"]["domainName"] = domain
    for name in ("cookies", "headers", "queryStringParameters"):
        del event[name]
    assert answer(lambda: API.app, event, None)["statusCode"] == 200
