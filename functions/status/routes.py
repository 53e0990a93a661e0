"""The routes of the status API: parse, ask, translate."""

import json
import logging
import re
from collections.abc import Mapping
from datetime import date
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from functions.web import page
from functions.web.request import bearer_of, origin_of, same_origin, session_of
from kite_relay import __version__
from kite_relay.domain.errors import KiteRelayError, LoginRefusedError
from kite_relay.domain.token import IST
from kite_relay.usecases import status_bodies
from kite_relay.usecases.report_status import Report

from . import openapi
from .problems import problem
from .services import Services

log = logging.getLogger(__name__)
Answer = Response[Any]
ROUTES: Mapping[str, str] = {
    "/": "GET",
    "/api/token-status": "GET",
    "/api/health": "GET",
    "/api/health/detailed": "GET",
    "/api/market": "GET",
    "/api/feed-ticket": "POST",
    "/openapi.json": "GET",
    "/docs": "GET",
    "/static/{digest}/{name}": "GET",
}
"""Each path with its method."""
LOGINS_ROUTES: Mapping[str, str] = {
    "/login": "GET",
    "/callback": "GET",
    "/login/result/{attempt_id}": "GET",
    "/logout": "POST",
}
"""The other function's: only a method that it does not take leads here."""
_OVERRIDES_UNREAD = "The market overrides cannot be read; the owner's findings tell why."
_NO_TICKET = "No ticket can be given now: no worker has started yet, or the status board does not answer."
"""Strangers are told no error's own words: AWS's name our account and roles."""
_DATE = re.compile(r"20\d\d-\d\d-\d\d")


def build(services: Services) -> APIGatewayHttpResolver:
    """Make the resolver with all its routes."""
    app = APIGatewayHttpResolver()
    _pages(app, services)
    _status(app, services)
    _others(app, services)
    app.not_found(_not_found_on(app))
    return app


def _pages(app: APIGatewayHttpResolver, services: Services) -> None:
    @app.get("/", compress=True)
    def dashboard() -> Answer:
        return _html(page.dashboard_page(), services.relay_url)

    @app.get("/docs", compress=True)
    def docs() -> Answer:
        return _html(openapi.page(), "")

    @app.get("/openapi.json", compress=True)
    def document() -> Answer:
        return _json(openapi.document())

    @app.get("/static/<digest>/<name>", compress=True)
    def static(digest: str, name: str) -> Answer:
        asset = page.static_asset(digest, name)
        if asset is None:
            return problem(HTTPStatus.NOT_FOUND, "There is no such file.")
        return Response(200, asset.headers["Content-Type"], asset.body, headers=dict(asset.headers))


def _status(app: APIGatewayHttpResolver, services: Services) -> None:
    def report() -> Report:
        event = app.current_event.raw_event
        return services.report(f"{origin_of(event)}/login", session_of(event))

    @app.get("/api/token-status")
    def token_status() -> Answer:
        return _json(status_bodies.token_status(report()))

    @app.get("/api/health")
    def health() -> Answer:
        return _json({"status": "ok", "version": __version__})

    @app.get("/api/health/detailed")
    def detailed() -> Answer:
        found = report()
        bearer = "" if found.owner else bearer_of(app.current_event.raw_event)
        full = bool(found.owner) or (bool(bearer) and services.knows(bearer))
        body = status_bodies.detailed(found, full=full)
        return _json(body, HTTPStatus.OK if found.health.status.fine else HTTPStatus.SERVICE_UNAVAILABLE)


def _others(app: APIGatewayHttpResolver, services: Services) -> None:
    @app.get("/api/market")
    def market() -> Answer:
        now = services.sources.clock.now()
        day = _day(app.current_event.raw_event.get("rawQueryString") or "", now.astimezone(IST).date())
        if day is None:
            return problem(HTTPStatus.BAD_REQUEST, "`date` is a day of this century, as YYYY-MM-DD.")
        calendar = services.sources.calendar.current(now)
        problem_seen = _OVERRIDES_UNREAD if services.sources.calendar.problem else ""
        return _json(status_bodies.market(calendar, now, day, problem_seen))

    @app.post("/api/feed-ticket")
    def feed_ticket() -> Answer:
        event = app.current_event.raw_event
        if not same_origin(event):
            return problem(HTTPStatus.FORBIDDEN, "A ticket is given to the dashboard's own page only.")
        try:
            ticket = services.ticket(session_of(event))
        except LoginRefusedError as error:
            return problem(HTTPStatus.UNAUTHORIZED, str(error), {"WWW-Authenticate": 'Cookie realm="kite-relay"'})
        except KiteRelayError as error:
            log.warning("no ticket could be given: %s", error)
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, _NO_TICKET, {"Retry-After": "5"})
        return _json(
            {
                "ticket": ticket.value,
                "expires_at": ticket.expires_at.astimezone(IST).isoformat(timespec="seconds"),
                "url": services.relay_url or None,
            }
        )


def _not_found_on(app: APIGatewayHttpResolver) -> Any:
    def not_found(_error: Exception) -> Answer:
        path, method = app.current_event.path, app.current_event.http_method
        own = _method(ROUTES, path).replace("GET", "GET, HEAD")
        allow = "" if method in own else own or _method(LOGINS_ROUTES, path)
        if not allow:
            return problem(HTTPStatus.NOT_FOUND, "There is nothing here; /docs lists what there is.")
        return problem(HTTPStatus.METHOD_NOT_ALLOWED, f"This path answers to {allow} only.", {"Allow": allow})

    return not_found


def _method(routes: Mapping[str, str], path: str) -> str:
    """Name the method that a path answers to; empty when it is none of these."""
    return next((method for pattern, method in routes.items() if _fits(pattern, path)), "")


def _fits(pattern: str, path: str) -> bool:
    wanted, given = pattern.split("/"), path.split("/")
    return len(wanted) == len(given) and all(
        bool(part) if name.startswith("{") else name == part for name, part in zip(wanted, given, strict=True)
    )


def _day(query: str, today: date) -> date | None:
    """Read the query's day; without one, today; None when it is none, or when there are two."""
    asked = [value for name, value in parse_qsl(query, keep_blank_values=True) if name == "date"]
    if not asked:
        return today
    try:
        return date.fromisoformat(asked[0]) if len(asked) == 1 and _DATE.fullmatch(asked[0]) else None
    except ValueError:
        return None


def _json(body: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Answer:
    return Response(status.value, "application/json", json.dumps(body, separators=(",", ":"), ensure_ascii=False))


def _html(text: str, relay_url: str) -> Answer:
    return Response(200, "text/html; charset=utf-8", text, headers=page.security_headers(relay_url))
