"""The worker's inbox as an SQS queue, long-polled."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kite_relay.adapters.aws import aws_errors
from kite_relay.ports import Message

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

LONGEST_WAIT = 20
"""What SQS allows; the client's read timeout must be longer."""
BATCH = 10


class SqsInbox:
    """Reads one queue.

    Args:
        client: botocore's SQS client, with a read timeout beyond `LONGEST_WAIT`.
        url: the queue's URL.
    """

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def receive(self, wait_seconds: float) -> Sequence[Message]:
        """Wait for messages up to that long; SQS counts whole seconds, at most 20."""
        with aws_errors("receiving from the queue"):
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=BATCH,
                WaitTimeSeconds=min(int(wait_seconds), LONGEST_WAIT),
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        return [
            Message(
                message["Body"],
                message["ReceiptHandle"],
                int(message.get("Attributes", {}).get("ApproximateReceiveCount", "1")),
            )
            for message in answer.get("Messages", ())
        ]

    def delete(self, message: Message) -> None:
        """Confirm a message."""
        with aws_errors("deleting from the queue"):
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=message.receipt)
