"""Look at the token, the calendar and the board; tell the operator what needs telling, once; and measure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kite_relay.domain.gauges import Gauges, measure
from kite_relay.domain.market import Calendar
from kite_relay.domain.nudge import Message, QuietHours, due
from kite_relay.domain.records import Heartbeat, Notifications, TokenCheck, TokenRecord, nudge_key, timeline_key
from kite_relay.domain.status_token import TokenFacts, TokenView, judge_token
from kite_relay.domain.token import IST
from kite_relay.ports import Clock, Delivery, Notifier, StatusBoard, TokenStore

KEEP = timedelta(days=3)
"""How long the marker of a sent message stands: longer than its day."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one look led to: the reasons that were told, the channels that failed, and the measurements."""

    gauges: Gauges
    told: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Remind:
    """One look, and the messages that follow from it.

    Args:
        tokens: asked for the token's generation and time only, never for the token.
        calendar: gives the calendar at an instant.
        notifier: makes what sends; called only when there is something to send.
        login_url: the one link of a reminder.
        quiet: when nothing is sent.
    """

    tokens: TokenStore
    board: StatusBoard
    clock: Clock
    calendar: Callable[[datetime], Calendar]
    notifier: Callable[[], Notifier]
    login_url: str
    quiet: QuietHours

    def __call__(self) -> Outcome:
        """Look, tell and measure.

        Raises:
            StoreUnavailableError: the store or the board does not answer: nothing is known, so nothing is told.
        """
        now = self.clock.now()
        day_key = timeline_key(now.astimezone(IST).date())
        items = self.board.get([TokenRecord.KEY, TokenCheck.KEY, Heartbeat.KEY, day_key])
        token, calendar = self._token(items, now), self.calendar(now)
        outcome = Outcome(measure(now, calendar, token, Heartbeat.from_item(items.get(Heartbeat.KEY))))
        if not self.quiet.hold(now):
            entries: Sequence[Mapping[str, Any]] = items.get(day_key, {}).get("entries", ())
            for message in due(now, calendar, token, entries, self.login_url):
                self._tell(message, now, outcome)
        return outcome

    def _token(self, items: Mapping[str, Mapping[str, Any]], now: datetime) -> TokenView:
        record, check = (
            TokenRecord.from_item(items.get(TokenRecord.KEY)),
            TokenCheck.from_item(items.get(TokenCheck.KEY)),
        )
        return judge_token(TokenFacts(self.tokens.peek(), record, check), now)

    def _tell(self, message: Message, now: datetime, outcome: Outcome) -> None:
        """Send a message that was not sent before. One that no channel took is tried again at the next look."""
        key = nudge_key(message.key)
        if not self.board.put_new(key, {"sent_at": now.isoformat()}, expires_at=now + KEEP):
            return
        try:
            delivery = self.notifier().notify(message.title, message.body)
        except BaseException:
            self.board.delete(key)
            raise
        if delivery.sent:
            outcome.told.append(message.key)
        elif delivery.failed:
            self.board.delete(key)
        outcome.failed.extend(delivery.failed)
        if delivery.sent or delivery.failed:
            self._record(delivery, now)

    def _record(self, delivery: Delivery, now: datetime) -> None:
        """Keep how it went where status sees it."""
        failed_at, sent_at = (now if names else None for names in (delivery.failed, delivery.sent))
        self.board.put(Notifications.KEY, Notifications(list(delivery.failed), failed_at, sent_at).to_item())
