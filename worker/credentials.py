"""Hands the worker's access key to boto3, again every few minutes: so the key can be changed without a restart.

boto3 runs it (`credential_process` in infra/aws.config) and runs it again before `Expiration`. The key itself does not
expire; the file it stands in may hold another one by then. Standard library only: it starts in 30 ms.
"""

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

BOTO3_ASKS_EARLY = timedelta(minutes=15)
"""boto3 asks for a new key when the one it has is valid for less than this."""
KEPT = 300
"""Seconds that boto3 keeps a key, unless KEY_SECONDS says otherwise."""


def hand_over(text: str, now: datetime, kept: float) -> str:
    """Write what boto3 wants to read.

    Args:
        text: the file's content, {"AccessKeyId": ..., "SecretAccessKey": ...}.
        now: the time (aware).
        kept: how many seconds boto3 shall keep the key.

    Raises:
        ValueError: the text holds no key; the message never holds the text.
    """
    try:
        key = json.loads(text)
        known = {"AccessKeyId": str(key["AccessKeyId"]), "SecretAccessKey": str(key["SecretAccessKey"])}
    except (ValueError, KeyError, TypeError):
        raise ValueError("it is not what `kite-relay rotate` writes") from None
    until = now + BOTO3_ASKS_EARLY + timedelta(seconds=kept)
    return json.dumps({"Version": 1, **known, "Expiration": until.isoformat(timespec="seconds")})


def main() -> None:
    """Print the key that stands in the file named on the command line."""
    path = Path(sys.argv[1])
    try:
        print(hand_over(path.read_text(), datetime.now(UTC), float(os.environ.get("KEY_SECONDS", KEPT))))  # noqa: T201 - boto3 reads it
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        sys.exit(f"{path}: {reason}; give the worker its key with `kite-relay rotate`")


if __name__ == "__main__":
    main()
