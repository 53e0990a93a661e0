"""The routes of the login: parse, ask, translate."""

import secrets
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.shared.cookies import Cookie

from functions.web.request import cookies_of, header, same_origin, session_of
from kite_relay.config import LoginDeployable
from kite_relay.domain import login
from kite_relay.domain.errors import ConfigurationError, KiteUnavailableError, StoreUnavailableError
from kite_relay.domain.login import Outcome
from kite_relay.domain.records import login_key
from kite_relay.ports import Item, required
from kite_relay.usecases import owner_session
from kite_relay.usecases.complete_login import Completed, complete_login
from kite_relay.usecases.log_out import log_out
from kite_relay.usecases.publish_token import STORE_ERRORS

from . import cookies, pages
from .pages import Page

Answer = Response[Any]
LONGEST_COOKIES = 8192
"""A request with more in its cookies is not a browser's of ours: it is treated as one without any."""
_PREFETCH_HEADERS = ("sec-purpose", "purpose", "x-purpose", "x-moz")


class Routes:
    """The login's routes.

    Args:
        wire: gives the deployable; called at each request, so that a gap in the setup is a page and no crash.
        log: the function's logger.
    """

    def __init__(self, wire: Callable[[], LoginDeployable], log: Logger) -> None:
        self._wire = wire
        self._log = log
        self.app = APIGatewayHttpResolver()
        self.app.get("/login")(self.begin)
        self.app.get("/callback")(self.complete)
        self.app.get("/login/result/<name>")(self.result)
        self.app.post("/logout")(self.end)
        self.app.not_found(lambda _error: _page(pages.NOTHING_HERE))

    def begin(self) -> Answer:
        """`GET /login`: send the browser to Zerodha with a fresh state."""
        try:
            ports = self._wire()
            key = login.state_key(required(ports.parameters, "api_secret"))
            api_key = required(ports.parameters, "api_key")
        except (ConfigurationError, StoreUnavailableError) as error:
            self._log.error("no login can begin", extra={"error": str(error)})
            return _page(pages.NOT_SET_UP)
        attempt = login.issue(key, ports.clock.now(), secrets.token_bytes(login.ENTROPY_BYTES))
        cookie = cookies.attempt_cookie(attempt.attempt_id, attempt.binding)
        return _redirect(
            302, login.login_url(ports.login_root, api_key, attempt.state), [*cookies.surplus(self._cookies()), cookie]
        )

    def complete(self) -> Answer:
        """`GET /callback`: where Zerodha sends the browser back. It never stays on this URL, which holds the token."""
        if self._prefetched():
            return _page(pages.NOT_NOW)
        answer = login.read_answer(self.app.current_event.raw_event.get("rawQueryString") or "")
        done = complete_login(self._wire(), answer, cookies.bindings(self._cookies()))
        self._log_login(done)
        if done.attempt_id is None:
            outcome = done.ending.outcome if done.ending else Outcome.EXPIRED
            return _redirect(303, f"/login/result/{outcome}")
        query = f"?told={done.sealed}" if done.sealed else "" if done.ending else "?again=1"
        return _redirect(303, f"/login/result/{done.attempt_id}{query}")

    def result(self, name: str) -> Answer:
        """`GET /login/result/<attempt id>`: what became of it, for the browser that began it."""
        if name in pages.FIXED:
            return _page(pages.FIXED[name])
        binding = cookies.bindings(self._cookies()).get(name)
        if not binding:
            return _page(pages.NOTHING_HERE)
        ports, query = self._wire(), self._query()
        if query.get("told"):
            return self._told(ports, name, query["told"])
        item, owned = self._look(ports, name)
        if item is None or item.get("binding") != login.binding_hash(binding):
            return _page(pages.NOTHING_HERE)
        outcome = login.outcome_of(item, ports.clock.now())
        page = pages.ALREADY_DONE if outcome.stored and query.get("again") else pages.PAGES[outcome]
        detail = str(item.get("user_id") if outcome is Outcome.WRONG_USER else item.get("detail") or "")
        given = [] if owned or not outcome.stored else self._give_session(ports, str(item.get("user_id", "")))
        return _page(page, detail, given)

    def end(self) -> Answer:
        """`POST /logout`: the owner's button. Another site cannot press it, with or without the cookie."""
        session = session_of(self.app.current_event.raw_event)
        try:
            ports = self._wire()
            if not same_origin(self.app.current_event.raw_event) or owner_session.owner(ports, session) is None:
                return _page(pages.NOT_YOURS)
            published = log_out(ports)
            owner_session.close_session(ports, session)
        except KiteUnavailableError as error:
            self._log.error("the logout failed", extra={"error": str(error)})
            return _page(pages.LOGOUT_UNREACHABLE)
        except (ConfigurationError, StoreUnavailableError) as error:
            self._log.error("the logout is not complete", extra={"error": str(error)})
            return _page(pages.LOGOUT_UNFINISHED)
        self._log.info("logout", extra={"generation": published.generation if published else None})
        page = pages.LOGGED_OUT if published else pages.LOGGED_OUT_BEFORE
        return _page(page, given=cookies.forget(cookies.read(self._cookies())))

    def _look(self, ports: LoginDeployable, attempt_id: str) -> tuple[Item | None, bool]:
        """Read the attempt's item, and whether this browser is the owner's already, in one go."""
        session = owner_session.key_of(session_of(self.app.current_event.raw_event))
        try:
            found = ports.board.get([login_key(attempt_id), session])
        except STORE_ERRORS as error:
            self._log.warning("the board did not tell the login's outcome", extra={"error": str(error)})
            return {"outcome": Outcome.WORKING}, True
        return found.get(login_key(attempt_id)), session in found

    def _told(self, ports: LoginDeployable, attempt_id: str, sealed: str) -> Answer:
        """Show an outcome that the board could not keep: it came along, signed."""
        key = login.state_key(required(ports.parameters, "api_secret"))
        outcome = login.open_outcome(key, attempt_id, sealed)
        detail = "another user" if outcome is Outcome.WRONG_USER else "the reason could not be kept."
        return _page(pages.PAGES[outcome] if outcome else pages.NOTHING_HERE, detail)

    def _give_session(self, ports: LoginDeployable, user_id: str) -> list[Cookie]:
        """Make this browser the owner's: it began a login, and the allowed user completed it."""
        session = secrets.token_urlsafe(owner_session.SESSION_BYTES)
        try:
            owner_session.open_session(ports, session, user_id)
        except STORE_ERRORS as error:
            self._log.warning("the owner's session could not be kept", extra={"error": str(error)})
            return []
        return [cookies.owner_cookie(session)]

    def _log_login(self, done: Completed) -> None:
        """Write the one line that tells of a login."""
        ending = done.ending
        facts: dict[str, object] = {"outcome": ending.outcome if ending else "already claimed"}
        if ending and ending.generation:
            facts["generation"] = ending.generation
        if ending and ending.detail:
            facts["detail"] = ending.detail
        if done.refusal:
            facts["refusal"] = done.refusal
        self._log.info("login", extra=facts)

    def _cookies(self) -> list[str]:
        found = cookies_of(self.app.current_event.raw_event)
        return found if sum(map(len, found)) <= LONGEST_COOKIES else []

    def _query(self) -> dict[str, str]:
        raw = str(self.app.current_event.raw_event.get("rawQueryString") or "")
        return {name: values[0] for name, values in parse_qs(raw[: login.LONGEST_QUERY]).items()}

    def _prefetched(self) -> bool:
        """Tell whether the browser only wants to have the page at hand: that must not spend anything."""
        event = self.app.current_event.raw_event
        return any("prefetch" in header(event, name).lower() for name in _PREFETCH_HEADERS)


def _page(page: Page, detail: str = "", given: Iterable[Cookie] = ()) -> Answer:
    return Response(page.status, "text/html; charset=utf-8", page.render(detail), cookies=list(given))


def _redirect(status: int, location: str, given: Iterable[Cookie] = ()) -> Answer:
    return Response(status, "text/plain; charset=utf-8", "", headers={"Location": location}, cookies=list(given))
