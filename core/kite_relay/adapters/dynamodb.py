"""The status board as a DynamoDB table: partition key `key`, TTL attribute `expires_at`.

An item's fields stand in one JSON text, `item`: DynamoDB's numbers would not keep a float apart from a whole number.
Only the list `entries` is DynamoDB's own, of JSON texts, because appending to it must be one atomic step.
"""

import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import ceil
from random import SystemRandom
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import ClientError

from kite_relay.adapters.aws import aws_errors, error_code
from kite_relay.domain.errors import StoreUnavailableError
from kite_relay.ports import Clock, Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BATCH = 100
"""What one BatchGetItem takes."""
TRIES = 3
"""How often what BatchGetItem left over is asked for."""
PAUSE_SECONDS = 0.1
"""The longest pause before the second time; twice as long before the third, each with full jitter."""


def _write_down(key: str, item: Item, expires_at: datetime | None) -> dict[str, Any]:
    fields = dict(item)
    entries = fields.pop("entries", None)
    row: dict[str, Any] = {"key": {"S": key}, "item": {"S": json.dumps(fields)}}
    if entries is not None:
        row["entries"] = {"L": [{"S": json.dumps(entry)} for entry in entries]}
    if expires_at is not None:
        row["expires_at"] = {"N": str(ceil(expires_at.timestamp()))}
    return row


def _read_back(row: Mapping[str, Any]) -> Item:
    item: dict[str, Any] = json.loads(row["item"]["S"]) if "item" in row else {}
    if "entries" in row:
        item["entries"] = [json.loads(entry["S"]) for entry in row["entries"]["L"]]
    return item


class DynamoBoard:
    """Keeps small facts in one table.

    Args:
        client: botocore's DynamoDB client.
        table: the table's name.
        clock: tells what is outlived; DynamoDB itself deletes up to days later.
    """

    def __init__(self, client: "DynamoDBClient", table: str, clock: Clock) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    def get(self, keys: Sequence[str]) -> Mapping[str, Item]:
        """Read several items at once, consistently; absent and outlived ones are left out."""
        distinct = list(dict.fromkeys(keys))
        rows = [
            row for start in range(0, len(distinct), BATCH) for row in self._get_batch(distinct[start : start + BATCH])
        ]
        now = self._clock.now().timestamp()
        return {
            row["key"]["S"]: _read_back(row)
            for row in rows
            if "expires_at" not in row or float(row["expires_at"]["N"]) > now
        }

    def _get_batch(self, keys: Sequence[str]) -> list[Mapping[str, Any]]:
        rows: list[Mapping[str, Any]] = []
        request: Any = {self._table: {"Keys": [{"key": {"S": key}} for key in keys], "ConsistentRead": True}}
        for attempt in range(TRIES):
            if attempt:
                time.sleep(SystemRandom().uniform(0, PAUSE_SECONDS * attempt))
            with aws_errors(f"reading the table {self._table}"):
                answer = self._client.batch_get_item(RequestItems=request)
            rows += answer["Responses"].get(self._table, [])
            request = answer.get("UnprocessedKeys")
            if not request:
                return rows
        raise StoreUnavailableError(f"reading the table {self._table}: it is throttled")

    def put(self, key: str, item: Item, *, expires_at: datetime | None = None) -> None:
        """Write an item whole."""
        with aws_errors(f"writing to the table {self._table}"):
            self._client.put_item(TableName=self._table, Item=_write_down(key, item, expires_at))

    def put_new(self, key: str, item: Item, *, expires_at: datetime | None = None) -> bool:
        """Write an item only if none stands there; tells whether it did.

        The client tries again after a time-out, and would then find its own item: `writer` tells it from another's.
        """
        writer = {"S": uuid4().hex}
        with aws_errors(f"writing to the table {self._table}"):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item={**_write_down(key, item, expires_at), "writer": writer},
                    ConditionExpression="attribute_not_exists(#key) OR expires_at <= :now",
                    ExpressionAttributeNames={"#key": "key"},
                    ExpressionAttributeValues={":now": {"N": str(self._clock.now().timestamp())}},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if error_code(error) == "ConditionalCheckFailedException":
                    standing: Any = error.response.get("Item", {})
                    return bool(standing.get("writer") == writer)
                raise
            return True

    def append(self, key: str, entry: Item, *, expires_at: datetime | None = None) -> None:
        """Add an entry to the list `entries` of an item, in one atomic step."""
        setting = "SET entries = list_append(if_not_exists(entries, :none), :entry)"
        values: dict[str, Any] = {":none": {"L": []}, ":entry": {"L": [{"S": json.dumps(entry)}]}}
        if expires_at is not None:
            setting += ", expires_at = :expiry"
            values[":expiry"] = {"N": str(ceil(expires_at.timestamp()))}
        with aws_errors(f"writing to the table {self._table}"):
            self._client.update_item(
                TableName=self._table,
                Key={"key": {"S": key}},
                UpdateExpression=setting,
                ExpressionAttributeValues=values,
            )

    def delete(self, key: str) -> None:
        """Remove an item; an absent one is no error."""
        with aws_errors(f"writing to the table {self._table}"):
            self._client.delete_item(TableName=self._table, Key={"key": {"S": key}})
