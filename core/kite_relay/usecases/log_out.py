"""Kill the token at Kite, mark it gone, announce it."""

from kite_relay.domain.records import TokenRecord
from kite_relay.domain.token import LOGGED_OUT
from kite_relay.usecases.complete_login import LoginPorts
from kite_relay.usecases.publish_token import STORE_ERRORS, Published, publish_token


def log_out(ports: LoginPorts) -> Published | None:
    """End the token's life.

    Kite comes first: if it does not answer, nothing changes and the same button works again later.

    Returns:
        What was published; None when there was no token to end.

    Raises:
        KiteUnavailableError: Kite did not answer; nothing changed.
        StoreUnavailableError: the token is dead at Kite at most; press again.
        ConfigurationError: the same, and a person must mend why.
    """
    token = ports.tokens.read()
    if token is None or not token.usable:
        return None
    ports.kite.invalidate(token.value)
    return publish_token(ports, LOGGED_OUT, user_id=_last_user(ports), minted_at=ports.clock.now(), source="logout")


def _last_user(ports: LoginPorts) -> str:
    """Tell whose token it was; the first allowed user's when the board does not know."""
    try:
        record = TokenRecord.from_item(ports.board.get([TokenRecord.KEY]).get(TokenRecord.KEY))
    except STORE_ERRORS:
        record = None
    return (record and record.user_id) or ports.allowed_user_ids[0]
