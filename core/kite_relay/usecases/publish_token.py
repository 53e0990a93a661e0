"""Store a token, tell the board, announce it: what a login, a logout and the command line have in common."""

import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from kite_relay.domain.errors import ConfigurationError, KiteRelayError, StoreUnavailableError
from kite_relay.domain.events import TokenRotated
from kite_relay.domain.records import TokenRecord, timeline_key
from kite_relay.domain.token import IST, LOGGED_OUT
from kite_relay.ports import Clock, EventBus, StatusBoard, TokenStore

logger = logging.getLogger(__name__)
TIMELINE_LIFE = timedelta(days=8)
OVERTAKEN_WITHIN = timedelta(minutes=1)
"""Two logins at once are seconds apart. A parameter that was deleted and made anew counts from 1 again."""
STORE_ERRORS = (StoreUnavailableError, ConfigurationError)


class PublishPorts(Protocol):
    """What publishing needs of a deployable."""

    @property
    def clock(self) -> Clock:
        """The clocks."""
        ...

    @property
    def tokens(self) -> TokenStore:
        """Where the token goes."""
        ...

    @property
    def board(self) -> StatusBoard:
        """Where its metadata goes."""
        ...

    @property
    def bus(self) -> EventBus:
        """Where it is announced."""
        ...


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a token that is stored."""

    generation: int
    announced: bool


def publish_token(ports: PublishPorts, value: str, *, user_id: str, minted_at: datetime, source: str) -> Published:
    """Store a token and let the world know.

    Once it is stored, nothing fails any more: a board out of order and an announcement that did not go out are
    warnings, because the worker looks at the store by itself every minute.

    Raises:
        StoreUnavailableError: it is not stored.
        ConfigurationError: it is not stored, and a person must mend why.
    """
    began = ports.clock.now()
    generation = ports.tokens.write(value)
    stored_at = ports.clock.now()
    record = TokenRecord(
        generation=generation,
        user_id=user_id,
        minted_at=minted_at,
        stored_at=stored_at,
        token_length=0 if value == LOGGED_OUT else len(value),
        source=source,
    )
    _record(ports, record)
    sent_at = ports.clock.now()
    announced = _announce(ports, TokenRotated(generation, ports.tokens.name, user_id, minted_at, source))
    if announced:
        _record(ports, replace(record, announced_at=ports.clock.now()))
    moments = {source: began, "stored": stored_at, **({"announced": sent_at} if announced else {})}
    for what, at in moments.items():
        _add_to_timeline(ports, at, what, generation)
    return Published(generation, announced)


def _announce(ports: PublishPorts, event: TokenRotated) -> bool:
    try:
        ports.bus.announce(event)
    except STORE_ERRORS as error:
        logger.warning("the new token is stored but could not be announced: %s", error)
        return False
    return True


def _record(ports: PublishPorts, record: TokenRecord) -> None:
    """Tell the board of the token, unless it knows of a newer one by now."""
    try:
        standing = TokenRecord.from_item(ports.board.get([TokenRecord.KEY]).get(TokenRecord.KEY))
        if standing is None or not _is_newer(standing, record):
            ports.board.put(TokenRecord.KEY, record.to_item())
    except STORE_ERRORS as error:
        logger.warning("the board could not be told of the new token: %s", error)


def _is_newer(standing: TokenRecord, record: TokenRecord) -> bool:
    """Tell whether another login has overtaken this one; one of long ago has not, though a reset store counts anew."""
    if standing.stored_at and record.stored_at and record.stored_at - standing.stored_at > OVERTAKEN_WITHIN:
        return False
    return standing.generation > record.generation


def _add_to_timeline(ports: PublishPorts, at: datetime, what: str, generation: int) -> None:
    """Add to the day's timeline; a board out of order is no reason to stop."""
    entry = {"at": at.isoformat(), "what": what, "generation": generation}
    with suppress(KiteRelayError):
        ports.board.append(timeline_key(at.astimezone(IST).date()), entry, expires_at=at + TIMELINE_LIFE)
