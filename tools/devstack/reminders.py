"""The reminder on one machine: what EventBridge Scheduler and the function do in AWS, a loop does here."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from functions.reminder.wiring import wire
from kite_relay.adapters.notify import NOTIFY_URLS
from kite_relay.domain.errors import KiteRelayError
from kite_relay.ports import Parameters
from kite_relay.usecases.remind import Outcome

EVERY_SECONDS = 120.0
"""As often as in AWS: the messages decide by the clock which of them is due."""
Look = Callable[[], Outcome | None]
log = structlog.get_logger(__name__)


def reminder(parameters: Parameters, variables: Mapping[str, str], public_url: str) -> Look:
    """Wire the reminder over the environment's file; a look does nothing while nobody wants messages.

    Args:
        parameters: hold `notify_urls` once somebody wants messages.
        variables: the environment.
        public_url: where the pages are.

    Raises:
        ConfigurationError: a setting is not right; says which.
    """
    remind = wire({**variables, "LOGIN_URL": f"{public_url}/login"}).remind

    def look() -> Outcome | None:
        urls = parameters.read(NOTIFY_URLS)
        return remind() if urls and urls.value.strip() else None

    return look


async def remind_for_ever(look: Look, run: Callable[[Look], Awaitable[Outcome | None]] = asyncio.to_thread) -> None:
    """Look every two minutes. Whatever goes wrong with one look is told to the log, and the next one comes.

    Args:
        look: looks once.
        run: runs what blocks.
    """
    while True:
        try:
            outcome = await run(look)
            if outcome and (outcome.told or outcome.failed):
                log.info("told the operator", reasons=outcome.told, failed_channels=outcome.failed)
        except KiteRelayError as error:
            log.warning("the reminder could not look", error=str(error))
        except Exception:
            log.exception("the reminder failed")
        await asyncio.sleep(EVERY_SECONDS)
