"""From Zerodha's redirect to a stored and announced token, once for each login."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from kite_relay.domain import login
from kite_relay.domain.errors import KiteUnavailableError, LoginRefusedError, WillPassError
from kite_relay.domain.login import Answer, Outcome, Refusal
from kite_relay.domain.records import login_key
from kite_relay.ports import KiteLogin, KiteSession, Parameters, required
from kite_relay.usecases.publish_token import STORE_ERRORS, PublishPorts, publish_token

logger = logging.getLogger(__name__)


class LoginPorts(PublishPorts, Protocol):
    """What a login needs of a deployable."""

    @property
    def allowed_user_ids(self) -> tuple[str, ...]:
        """Who may log in."""
        ...

    @property
    def parameters(self) -> Parameters:
        """Where the app's keys stand."""
        ...

    @property
    def kite(self) -> KiteSession:
        """Kite's REST side."""
        ...


@dataclass(frozen=True, slots=True)
class Ending:
    """How a login ended.

    Args:
        outcome: what to tell.
        detail: Kite's own words, when it said no.
        generation: of the token, when it is stored.
        user_id: who logged in, when Kite told.
    """

    outcome: Outcome
    detail: str = ""
    generation: int = 0
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class Completed:
    """What to do with the browser.

    Args:
        attempt_id: the attempt whose result page to show; None when the answer belongs to none of ours.
        ending: how it ended; None when another request is, or was, at it.
        sealed: the outcome, signed, when the board could not keep it.
        refusal: why the state does not count, for the log.
    """

    attempt_id: str | None = None
    ending: Ending | None = None
    sealed: str = ""
    refusal: Refusal | None = None


def complete_login(ports: LoginPorts, answer: Answer, bindings: Mapping[str, str]) -> Completed:
    """Check the state, claim the attempt, and only then spend the request token."""
    try:
        key = login.state_key(required(ports.parameters, "api_secret"))
        attempt_id = login.check(key, ports.clock.now(), answer.state, bindings)
        if isinstance(attempt_id, Refusal):
            said_no = answer.status not in ("", "success")
            outcome = Outcome.CANCELLED if said_no else Outcome.EXPIRED
            return Completed(ending=Ending(outcome), refusal=attempt_id)
        claim = {
            "outcome": Outcome.WORKING,
            "binding": login.binding_hash(bindings[attempt_id]),
            "claimed_at": ports.clock.now().isoformat(),
        }
        expires_at = ports.clock.now() + login.CLAIM_LIFE
        if not ports.board.put_new(login_key(attempt_id), claim, expires_at=expires_at):
            return Completed(attempt_id)
    except STORE_ERRORS as error:
        logger.exception("the login could not begin; nothing was spent", exc_info=error)
        return Completed(ending=Ending(Outcome.STORE_FAILED))
    ending = _finish(ports, answer)
    item = {**claim, "outcome": ending.outcome, "detail": ending.detail, "generation": ending.generation}
    try:
        ports.board.put(login_key(attempt_id), {**item, "user_id": ending.user_id}, expires_at=expires_at)
    except STORE_ERRORS as error:
        logger.warning("the board could not keep the login's outcome: %s", error)
        return Completed(attempt_id, ending, login.seal_outcome(key, attempt_id, ending.outcome))
    return Completed(attempt_id, ending)


def _finish(ports: LoginPorts, answer: Answer) -> Ending:
    if answer.cancelled:
        return Ending(Outcome.CANCELLED)
    if not answer.usable:
        return Ending(Outcome.REFUSED, "Zerodha's answer carries no request token.")
    session = _exchange(ports, answer.request_token)
    if isinstance(session, Ending):
        return session
    if not login.is_allowed(session.user_id, ports.allowed_user_ids):
        return _turn_away(ports, session)
    return _keep(ports, session)


def _exchange(ports: LoginPorts, request_token: str) -> KiteLogin | Ending:
    try:
        return ports.kite.exchange(request_token)
    except LoginRefusedError as error:
        return Ending(Outcome.REFUSED, str(error))
    except KiteUnavailableError as error:
        logger.error("the login failed: %s", error)  # noqa: TRY400 - a sentence, no trace
        return Ending(Outcome.UNREACHABLE)
    except STORE_ERRORS as error:
        logger.exception("the app's keys could not be read; nothing was spent", exc_info=error)
        return Ending(Outcome.STORE_FAILED)


def _turn_away(ports: LoginPorts, session: KiteLogin) -> Ending:
    """Kill the session of somebody else: a token that nobody asked for must not live."""
    try:
        ports.kite.invalidate(session.access_token)
    except (WillPassError, *STORE_ERRORS) as error:
        logger.error("another user's token could not be invalidated at Kite: %s", error)  # noqa: TRY400 - a sentence, no trace
    return Ending(Outcome.WRONG_USER, user_id=session.user_id)


def _keep(ports: LoginPorts, session: KiteLogin) -> Ending:
    try:
        published = publish_token(
            ports, session.access_token, user_id=session.user_id, minted_at=session.minted_at, source="login"
        )
    except STORE_ERRORS as error:
        logger.exception("the new token could not be stored", exc_info=error)
        return Ending(Outcome.STORE_FAILED, user_id=session.user_id)
    outcome = Outcome.ANNOUNCED if published.announced else Outcome.UNANNOUNCED
    return Ending(outcome, generation=published.generation, user_id=session.user_id)
