"""Sends messages through Apprise (Telegram, ntfy, e-mail, Discord, ... by URL) and Amazon SNS.

Apprise is imported at the first message only: it loads a hundred services, and most looks send nothing.
"""

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from kite_relay.adapters.aws import aws_errors, make_client
from kite_relay.domain.errors import KiteRelayError
from kite_relay.ports import Delivery, Parameters

NOTIFY_URLS = "notify_urls"
"""The secret parameter: Apprise URLs, separated by spaces or line ends."""
SECRET_PART = 8
"""A shorter part of a URL is a scheme, a port or an option."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to the operator. `name` may be shown to anybody; `send` raises or returns False when it fails."""

    name: str
    send: Callable[[str, str], bool] = field(repr=False)


class Channels:
    """Sends a message through every channel; none keeps another from its message."""

    def __init__(self, channels: Sequence[Channel]) -> None:
        self._channels = channels

    def notify(self, title: str, body: str) -> Delivery:
        """Send through every channel."""
        took = {channel.name: _send(channel, title, body) for channel in self._channels}
        return Delivery([name for name, ok in took.items() if ok], [name for name, ok in took.items() if not ok])


def _send(channel: Channel, title: str, body: str) -> bool:
    """Send through one channel. What a library raises may quote the address: only its type is logged."""
    try:
        took = channel.send(title, body)
    except Exception as error:  # noqa: BLE001 - a hundred services, each with errors of its own
        logger.warning("notification channel %s failed: %s", channel.name, type(error).__name__)
        return False
    if not took:
        logger.warning("notification channel %s failed", channel.name)
    return took


def make_channels(parameters: Parameters, topic_arn: str, learn: Callable[[str], None]) -> Channels:
    """Make the channels that the operator set up.

    Args:
        parameters: holds `notify_urls`.
        topic_arn: the SNS topic to publish to; empty for none.
        learn: told every URL and its parts, so that no log shows it.
    """
    stored = parameters.read(NOTIFY_URLS)
    urls = stored.value.split() if stored else []
    for url in urls:
        for secret in (url, *_parts(url)):
            learn(secret)
    channels = [apprise_channel(number, url) for number, url in enumerate(urls, start=1)]
    if topic_arn:
        channels.append(sns_channel(topic_arn, make_client("sns")))
    return Channels(channels)


def _parts(url: str) -> list[str]:
    """Give what may be secret by itself: a library shows the address that it made of a URL, not the URL."""
    return [part for part in re.split(r"[/:@?&=]+", url) if len(part) >= SECRET_PART and "." not in part]


def apprise_channel(number: int, url: str) -> Channel:
    """Make a channel of an Apprise URL. Its name is the service and its place in the list: 'tgram 1'."""

    def send(title: str, body: str) -> bool:
        import apprise  # noqa: PLC0415 - 1.3 s of imports that only a message needs

        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its warnings may quote the address
        service = apprise.Apprise()
        return bool(service.add(url) and service.notify(title=title, body=body))

    scheme = urlsplit(url).scheme
    return Channel(f"{scheme if scheme.isalnum() else 'url'} {number}", send)


def sns_channel(topic_arn: str, client: Any) -> Channel:
    """Make a channel of an SNS topic."""

    def send(title: str, body: str) -> bool:
        try:
            with aws_errors("SNS"):
                client.publish(TopicArn=topic_arn, Subject=title, Message=body)
        except KiteRelayError as error:
            logger.warning("notification channel sns failed: %s", error)
            return False
        return True

    return Channel("sns", send)
