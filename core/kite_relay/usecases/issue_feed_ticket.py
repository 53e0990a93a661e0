"""Give the owner's dashboard a ticket for the relay: signed with the worker's own key, good once, for a minute."""

from dataclasses import dataclass, field
from datetime import datetime

from kite_relay.domain.errors import LoginRefusedError, StoreUnavailableError
from kite_relay.domain.records import TicketKey
from kite_relay.domain.relay_keys import TICKET_LIFE, issue_ticket
from kite_relay.ports import Clock, StatusBoard
from kite_relay.usecases.owner_session import key_of


@dataclass(frozen=True, slots=True)
class Ticket:
    """What opens the relay for the dashboard, once."""

    value: str = field(repr=False)
    expires_at: datetime


def issue_feed_ticket(board: StatusBoard, clock: Clock, session: str, nonce: bytes) -> Ticket:
    """Issue a ticket to whoever holds an owner's session.

    Args:
        board: where the sessions and the worker's ticket key stand.
        clock: the time.
        session: the owner's session cookie; empty when there is none.
        nonce: random bytes.

    Raises:
        LoginRefusedError: no owner's session.
        StoreUnavailableError: the board does not answer, or no worker has put its key there yet.
    """
    if not session:
        raise LoginRefusedError("only a logged-in owner gets a ticket: log in first")
    owner = key_of(session)
    items = board.get([owner, TicketKey.KEY])
    if owner not in items:
        raise LoginRefusedError("the session has ended: log in again")
    key = TicketKey.from_item(items.get(TicketKey.KEY))
    if key is None or not key.key:
        raise StoreUnavailableError("no worker has started yet, so there is no relay to open: start the worker")
    now = clock.now()
    return Ticket(issue_ticket(key.key, now, nonce), now + TICKET_LIFE)
