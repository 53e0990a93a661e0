"""Findings: what is wrong, how bad it is, what to do, and which other findings are only its consequences."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from kite_relay.domain.token import IST


class Severity(StrEnum):
    """How bad, by what it does to the verdict."""

    INFO = "info"
    """Good to know; the verdict stays."""
    WARNING = "warning"
    """Mend it when you have time; the verdict stays."""
    ERROR = "error"
    """Something does not work: degraded."""
    CRITICAL = "critical"
    """Nothing can flow: needs_login or down."""

    @property
    def rank(self) -> int:
        """Order the severities."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of finding. Title and fix are sentences with `{detail}` and the like where they depend on the facts."""

    severity: Severity
    title: str
    fix: str
    hides: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of now."""

    code: str
    severity: Severity
    title: str
    fix: str
    since: datetime | None = None
    hides: tuple[str, ...] = ()

    def to_body(self) -> dict[str, Any]:
        """Give it as the contract has it."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "title": self.title,
            "fix": self.fix,
            "since": self.since.astimezone(IST).isoformat(timespec="seconds") if self.since else None,
            "hides": list(self.hides),
        }


_FEED = ("feed_down", "feed_mute", "first_tick_awaited")
_TOKEN = ("token_missing", "token_rejected", "token_expired", "token_suspect")
_LATE_TOKEN = ("token_on_its_way", "token_not_picked_up")
_PICKUP = (*_LATE_TOKEN, "announcement_failed")
_WORKER = (*_FEED, *_PICKUP, "worker_late", "redis_unreachable", "version_drift", "generation_reset")

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "board_unreachable": Kind(
            Severity.ERROR,
            "The status board cannot be read, so nothing is known of the worker and the feed",
            "Wait a minute; if it lasts, check that the function may read its DynamoDB table",
            ("worker_never_seen", "worker_silent", *_WORKER, "token_suspect"),
        ),
        "store_unreachable": Kind(
            Severity.ERROR,
            "The parameter store cannot be read, so nothing certain is known of the token",
            "Wait a minute; if it lasts, check the function's right to read its parameters",
            (*_TOKEN, "api_key_missing", "generation_reset", "relay_keys", "market_overrides_broken"),
        ),
        "api_key_missing": Kind(
            Severity.CRITICAL,
            "The Kite Connect API key is not set, so nobody can log in",
            "Set api_key and api_secret in the parameter store: kite-relay setup",
            (*_TOKEN, *_FEED),
        ),
        "token_missing": Kind(Severity.CRITICAL, "{detail}", "Log in", (*_FEED, *_PICKUP)),
        "token_rejected": Kind(
            Severity.CRITICAL,
            "Zerodha rejects the token",
            "Log in",
            (*_FEED, *_PICKUP),
        ),
        "token_expired": Kind(
            Severity.CRITICAL,
            "The token expired {detail}",
            "Log in",
            (*_FEED, *_PICKUP),
        ),
        "token_suspect": Kind(Severity.CRITICAL, "{detail}", "Log in", ("feed_down",)),
        "worker_never_seen": Kind(
            Severity.CRITICAL,
            "The worker has never been heard of",
            "Start the worker on its machine",
            _WORKER,
        ),
        "worker_silent": Kind(
            Severity.CRITICAL,
            "The worker has been silent for {detail}",
            "Start the worker on its machine, or look at its log",
            _WORKER,
        ),
        "worker_late": Kind(
            Severity.INFO, "The worker's last heartbeat is {detail} old", "Nothing yet: wait a minute", ("feed_mute",)
        ),
        "clock_skew": Kind(
            Severity.ERROR,
            "The worker's clock is off by {detail}",
            "Turn on time synchronisation on the worker's machine: timedatectl set-ntp true",
        ),
        "token_on_its_way": Kind(
            Severity.ERROR,
            "The new token is on its way to the worker",
            "Wait a few seconds",
            _FEED,
        ),
        "token_not_picked_up": Kind(
            Severity.ERROR,
            "The worker has not taken the new token yet, {detail} after it was stored",
            "Look at the worker's log: it should see a new token within 75 seconds by itself",
            (*_FEED, "announcement_failed"),
        ),
        "generation_reset": Kind(
            Severity.WARNING,
            "The token's parameter was deleted, so its versions begin again",
            "Nothing to do: the worker takes the newly stored token by itself, within two minutes",
            _LATE_TOKEN,
        ),
        "announcement_failed": Kind(
            Severity.WARNING,
            "The last token was stored but could not be announced; the worker has to find it by itself",
            "Check the event bus and the login function's right to publish to it",
        ),
        "feed_down": Kind(
            Severity.ERROR,
            "The worker is not connected to Zerodha",
            "Wait: it reconnects by itself; if it lasts 5 minutes, look at the worker's log",
            ("feed_mute", "first_tick_awaited"),
        ),
        "feed_mute": Kind(
            Severity.ERROR,
            "Connected to Zerodha, but no tick has come for {detail} while the market is open",
            "Check that the worker's INSTRUMENTS are right and that they trade today; then restart the worker",
        ),
        "feed_forbidden": Kind(
            Severity.ERROR,
            "Zerodha knows the token, but refuses market data",
            "Check the app's plan on developers.kite.trade: market data needs the paid one (Connect)",
            _FEED,
        ),
        "instruments_unknown": Kind(
            Severity.WARNING,
            "Zerodha does not know some of the worker's instruments: {detail}",
            "Correct INSTRUMENTS on the worker's machine, as EXCHANGE:SYMBOL",
        ),
        "ssm_unreachable": Kind(
            Severity.ERROR,
            "The worker cannot reach the parameter store, so it would not see a new token: {detail}",
            "Wait a minute; if it lasts, check the worker's network. Ticks go on",
            _LATE_TOKEN,
        ),
        "sqs_unreachable": Kind(
            Severity.WARNING,
            "The worker cannot reach its queue; it still finds a new token within 75 seconds: {detail}",
            "Wait a minute; if it lasts, check the worker's network. Ticks go on",
        ),
        "dynamodb_unreachable": Kind(
            Severity.WARNING,
            "The worker cannot reach the status board: {detail}",
            "Wait a minute; if it lasts, check the worker's network. Ticks go on",
        ),
        "aws_key": Kind(
            Severity.ERROR,
            "AWS does not take the worker's key: {detail}",
            "Give the worker another one: kite-relay rotate. Ticks go on",
            _LATE_TOKEN,
        ),
        "aws_denied": Kind(
            Severity.ERROR,
            "AWS refuses the worker a right that it needs: {detail}",
            "Deploy the stack again, so that its policy is whole: make deploy. Ticks go on",
            _LATE_TOKEN,
        ),
        "aws_missing": Kind(
            Severity.ERROR,
            "What the worker asks AWS for does not exist: {detail}",
            "Compare the region, QUEUE_URL and BOARD_TABLE on the worker's machine with the stack's. Ticks go on",
            _LATE_TOKEN,
        ),
        "token_absent": Kind(
            Severity.ERROR,
            "A token is stored, but the worker finds none where it looks: {detail}",
            "Compare PARAMETER_PREFIX and the region on the worker's machine with the stack's",
            (*_FEED, "announcement_failed"),
        ),
        "state_unwritable": Kind(
            Severity.WARNING,
            "The worker cannot keep the last prices over a restart: {detail}",
            "Make room on the worker's disk, or let it write to STATE_DIR. Ticks go on",
        ),
        "first_tick_awaited": Kind(
            Severity.ERROR,
            "Trading is on, and the first tick has not come yet",
            "Wait half a minute for the first tick",
        ),
        "redis_unreachable": Kind(
            Severity.ERROR,
            "The worker cannot reach Redis, so other relay processes get no ticks",
            "Start Redis, or check REDIS_URL on the worker's machine",
        ),
        "version_drift": Kind(
            Severity.WARNING,
            "The worker runs version {detail}",
            "Deploy the same version everywhere",
        ),
        "calendar_ended": Kind(
            Severity.ERROR,
            "The market calendar ends on {detail}: whether the market is open is not known",
            "Update kite-relay: the exchanges publish next year's holidays in December",
            ("session_times_unknown", "calendar_ends_soon"),
        ),
        "calendar_ends_soon": Kind(
            Severity.WARNING,
            "The market calendar ends on {detail}",
            "Update kite-relay: the exchanges publish next year's holidays in December",
        ),
        "session_times_unknown": Kind(
            Severity.ERROR,
            "There is a special session today whose times are not in the calendar",
            "Look up the times at the exchange, and add them: kite-relay calendar",
        ),
        "market_overrides_broken": Kind(
            Severity.WARNING,
            "The calendar's override document was not taken: {detail}",
            "Mend it: kite-relay calendar",
        ),
        "relay_keys": Kind(
            Severity.WARNING,
            "The relay keys cannot be read: {detail}",
            "Make them anew: kite-relay keys",
        ),
        "notify_failed": Kind(
            Severity.WARNING,
            "A message could not be sent through {detail}",
            "Check the addresses in the parameter notify_urls",
        ),
        "relay_guessing": Kind(
            Severity.WARNING,
            "Somebody guesses at relay keys: {detail}",
            "If that is you, check the key; if not, let only your own addresses reach the relay",
        ),
    }
)
"""Every finding that the status itself makes, and those of the worker's that need more than its own words."""


def make(
    code: str, detail: str = "", *, since: datetime | None = None, severity: Severity | None = None, fix: str = ""
) -> Finding:
    """Make a finding of a known kind; severity and fix may be what this moment makes of them."""
    kind = KINDS[code]
    return Finding(
        code, severity or kind.severity, kind.title.format(detail=detail), fix or kind.fix, since, kind.hides
    )


def hide_consequences(findings: Iterable[Finding]) -> list[Finding]:
    """Leave out what another finding explains; each root names what it really hides. The worst come first.

    A hidden finding hides too: consequences of consequences go as well.
    """
    unique: dict[str, Finding] = {}
    for finding in findings:
        unique.setdefault(finding.code, finding)
    hidden = {code for finding in unique.values() for code in finding.hides}
    roots = [replace(root, hides=_below(root.code, unique)) for root in unique.values() if root.code not in hidden]
    return sorted(roots, key=lambda finding: -finding.severity.rank)


def _below(code: str, present: Mapping[str, Finding]) -> tuple[str, ...]:
    """List the present findings that one explains, directly or through another."""
    found: list[str] = []
    todo = [code]
    while todo:
        for below in present[todo.pop()].hides:
            if below in present and below not in found:
                found.append(below)
                todo.append(below)
    return tuple(found)
