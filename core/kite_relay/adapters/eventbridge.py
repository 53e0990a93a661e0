"""Announces a new token on an EventBridge bus."""

import json
from typing import TYPE_CHECKING

from kite_relay.adapters.aws import aws_errors
from kite_relay.domain.errors import StoreUnavailableError
from kite_relay.domain.events import DETAIL_TYPE, SOURCE, TokenRotated

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


class EventBridgeBus:
    """Publishes to one bus.

    Args:
        client: botocore's EventBridge client.
        bus: the bus's name or ARN.
    """

    def __init__(self, client: "EventBridgeClient", bus: str) -> None:
        self._client = client
        self._bus = bus

    def announce(self, event: TokenRotated) -> None:
        """Publish the event; EventBridge may refuse an entry and still answer 200."""
        entry = {
            "Source": SOURCE,
            "DetailType": DETAIL_TYPE,
            "Detail": json.dumps(event.to_detail()),
            "EventBusName": self._bus,
        }
        with aws_errors(f"announcing on the bus {self._bus}"):
            answer = self._client.put_events(Entries=[entry])  # type: ignore[list-item]
        if answer["FailedEntryCount"]:
            code = answer["Entries"][0].get("ErrorCode", "no reason")
            raise StoreUnavailableError(f"announcing on the bus {self._bus}: EventBridge answered {code}")
