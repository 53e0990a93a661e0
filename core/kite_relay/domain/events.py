"""The one message between the login and the worker, and how the worker's inbox reads what EventBridge delivers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kite_relay.domain.errors import MalformedError
from kite_relay.domain.token import parse_instant

SOURCE = "kite-relay"
DETAIL_TYPE = "TokenRotated"
STORE_SOURCE = "aws.ssm"
STORE_DETAIL_TYPE = "Parameter Store Change"


@dataclass(frozen=True, slots=True)
class TokenRotated:
    """A new access token stands in the store. Carries its place and generation, never the token.

    Args:
        generation: the store's version of the parameter; at least 1.
        parameter_name: where the token stands.
        user_id: the Zerodha user who logged in.
        minted_at: when Kite issued the token (aware).
        source: what wrote it: "login", "logout" or "cli".
    """

    generation: int
    parameter_name: str
    user_id: str
    minted_at: datetime
    source: str

    def to_detail(self) -> dict[str, Any]:
        """Give the `detail` of the EventBridge event."""
        return {
            "generation": self.generation,
            "parameter_name": self.parameter_name,
            "user_id": self.user_id,
            "minted_at": self.minted_at.isoformat(),
            "source": self.source,
        }

    @classmethod
    def from_detail(cls, detail: Any) -> "TokenRotated":
        """Read the `detail` of the EventBridge event.

        Raises:
            MalformedError: a key is missing or of another type; says which.
        """
        if not isinstance(detail, Mapping):
            raise MalformedError("TokenRotated: the detail is no object")
        generation = detail.get("generation")
        if type(generation) is not int or generation < 1:
            raise MalformedError("TokenRotated: 'generation' is no positive whole number")
        texts = {key: detail.get(key) for key in ("parameter_name", "user_id", "minted_at", "source")}
        for key, text in texts.items():
            if not isinstance(text, str) or not text:
                raise MalformedError(f"TokenRotated: '{key}' is no text")
        try:
            minted_at = parse_instant(str(texts["minted_at"]))
        except ValueError as error:
            raise MalformedError("TokenRotated: 'minted_at' is no ISO 8601 instant with an offset") from error
        return cls(generation, str(texts["parameter_name"]), str(texts["user_id"]), minted_at, str(texts["source"]))


@dataclass(frozen=True, slots=True)
class StoreChanged:
    """SSM's own word that the parameter was written, by whomever. It names no version: look."""

    parameter_name: str


def parse_announcement(body: str) -> TokenRotated | StoreChanged:
    """Read the body of a queue message: an EventBridge event as JSON.

    Raises:
        MalformedError: it is neither of the two events that the rules let through; says why.
    """
    try:
        event = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedError("the announcement is no JSON") from error
    if not isinstance(event, Mapping):
        raise MalformedError("the announcement is no object")
    match event.get("source"), event.get("detail-type"):
        case str(source), str(kind) if (source, kind) == (SOURCE, DETAIL_TYPE):
            return TokenRotated.from_detail(event.get("detail"))
        case str(source), str(kind) if (source, kind) == (STORE_SOURCE, STORE_DETAIL_TYPE):
            detail = event.get("detail")
            name = detail.get("name") if isinstance(detail, Mapping) else None
            if not isinstance(name, str) or not name:
                raise MalformedError("Parameter Store Change: 'name' is no text")
            return StoreChanged(name)
    raise MalformedError("the announcement is neither TokenRotated nor a Parameter Store Change")
