"""The rules: from what is known to every finding that follows from it. What hides what is decided afterwards."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kite_relay.domain.records import Heartbeat
from kite_relay.domain.status_findings import KINDS, Finding, Severity, make
from kite_relay.domain.status_market import CALENDAR_WARNING, MarketFacts, next_login_time
from kite_relay.domain.status_token import Doubt, TokenFacts, TokenStatus, TokenView
from kite_relay.domain.status_words import moment, moment_ist, span
from kite_relay.domain.status_worker import (
    PICKUP_LIMIT,
    SKEW_ERROR,
    SKEW_WARNING,
    TICK_FRESH,
    Pulse,
    WorkerView,
    flowing,
    silence,
)
from kite_relay.domain.token import IST, parse_instant

_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_MAX_WORDS = 300
ABSENT = "token_absent"
"""What a worker says that finds no token; it means something only where one is stored."""
RESET_LIMIT = timedelta(minutes=2)
_DOUBTS = {
    Doubt.FLUSH_WINDOW: "The token was made before 07:30 IST, when Zerodha clears tokens, and was not confirmed since",
    Doubt.PAST_EXPIRY: "The token is past its documented end at 06:00 IST, and Zerodha clears it by 07:30 IST",
    Doubt.UNKNOWN_AGE: "The token was put in by hand, and Zerodha has not confirmed it yet",
    Doubt.UNREADABLE: "Whether the token is good cannot be known now",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the verdict rests on.

    Args:
        now: the instant it is about.
        token: what is known of the token.
        heartbeat: what the worker last said.
        market: what the calendar tells.
        login_url: where a person logs in.
        version: the version that answers.
        board_answered: whether the status board could be read.
        api_key_present: whether the API key is set; None when the store did not answer.
        failed_channels: notification channels whose last message failed.
        failed_at: since when.
    """

    now: datetime
    token: TokenFacts
    heartbeat: Heartbeat | None
    market: MarketFacts
    login_url: str
    version: str
    board_answered: bool = True
    api_key_present: bool | None = True
    failed_channels: tuple[str, ...] = ()
    failed_at: datetime | None = None


def all_findings(facts: Facts, token: TokenView, worker: WorkerView) -> Iterator[Finding]:
    """Give every finding, consequences too."""
    yield from _ground(facts, worker)
    yield from _worker(facts, worker)
    beat = worker.heartbeat if worker.pulse.believable else None
    if beat:
        yield from _pickup(facts, token, worker, beat)
    yield from _token(facts, token, worker)
    if beat:
        yield from _feed(facts, worker, beat)
        yield from _reported(beat)
    yield from _calendar(facts)


def _ground(facts: Facts, worker: WorkerView) -> Iterator[Finding]:
    if not facts.board_answered:
        yield make("board_unreachable")
    if not facts.token.store_answered or facts.api_key_present is None:
        yield make("store_unreachable")
    if facts.api_key_present is False:
        yield make("api_key_missing", severity=Severity.ERROR if worker.ticking else None)
    if facts.failed_channels:
        yield make("notify_failed", ", ".join(facts.failed_channels), since=facts.failed_at)


def _worker(facts: Facts, worker: WorkerView) -> Iterator[Finding]:
    beat, age = worker.heartbeat, worker.age
    since = beat.heartbeat_at if beat else None
    if worker.pulse is Pulse.NEVER:
        yield make("worker_never_seen")
    elif worker.pulse is Pulse.SILENT and age:
        yield make("worker_silent", span(age), since=since)
    elif worker.pulse is Pulse.FUTURE and age:
        yield make("clock_skew", span(-age))
    elif worker.pulse is Pulse.LATE and age:
        unsure = facts.market.ticks_due and not worker.ticking
        severity = Severity.ERROR if unsure else Severity.INFO
        yield make("worker_late", span(age), since=since, severity=severity)
    skew = abs(beat.clock_skew_seconds or 0.0) if beat and worker.pulse.believable else 0.0
    if skew > SKEW_WARNING:
        severity = Severity.ERROR if skew > SKEW_ERROR else Severity.WARNING
        yield make("clock_skew", span(timedelta(seconds=skew)), severity=severity)


def _token(facts: Facts, token: TokenView, worker: WorkerView) -> Iterator[Finding]:
    if token.status is TokenStatus.VALID:
        return
    helps = facts.market.login_helps(facts.now)
    severity, fix = Severity.CRITICAL if helps else Severity.INFO, login_words(facts.market, facts.now, facts.login_url)
    match token.status:
        case TokenStatus.MISSING:
            words = "Logged out: there is no token" if token.logged_out else "There is no token yet"
            yield make("token_missing", words, since=token.since, severity=severity, fix=fix)
        case TokenStatus.REJECTED:
            check = facts.token.check
            yield make("token_rejected", since=check.rejected_at if check else None, severity=severity, fix=fix)
        case TokenStatus.EXPIRED if token.expires_at:
            words = moment_ist(token.expires_at, facts.now)
            yield make("token_expired", words, since=token.expires_at, severity=severity, fix=fix)
        case _:
            served = flowing(worker, facts.market) and worker.generation == token.generation
            yield _suspect(token, severity, fix, served=served)


def _suspect(token: TokenView, severity: Severity, fix: str, *, served: bool) -> Finding:
    doubt = token.doubt or Doubt.UNREADABLE
    if severity is Severity.CRITICAL and (served or doubt is Doubt.UNKNOWN_AGE):
        severity = Severity.ERROR
    if doubt is Doubt.UNKNOWN_AGE:
        fix = f"Wait a minute for the worker to try it. If this stays: {fix}"
    return make("token_suspect", _DOUBTS[doubt], since=token.since, severity=severity, fix=fix)


def login_words(market: MarketFacts, now: datetime, where: str) -> str:
    """Say when to log in, and where."""
    start = next_login_time(market, now)
    if start is None or start <= now:
        return f"Log in: {where}"
    return f"Log in {moment(start, now)} or later: {where}"


def _pickup(facts: Facts, token: TokenView, worker: WorkerView, beat: Heartbeat) -> Iterator[Finding]:
    if facts.token.store_answered and beat.generation > token.generation:
        yield _reset(facts, token)
    if not token.announced:
        yield make("announcement_failed", since=token.since)
    if not token.present or not token.since or beat.generation >= token.generation:
        return
    waited = facts.now - token.since
    if waited > PICKUP_LIMIT:
        yield _not_picked_up(beat, token.since, waited)
    else:
        yield make("token_on_its_way", since=token.since, severity=Severity.INFO if worker.ticking else None)


def _not_picked_up(beat: Heartbeat, since: datetime, waited: timedelta) -> Finding:
    for entry in beat.findings:
        if entry.get("code") == ABSENT:  # it looks, but elsewhere
            return make(ABSENT, str(entry.get("detail")), since=since)
    return make("token_not_picked_up", span(waited), since=since)


def _reset(facts: Facts, token: TokenView) -> Finding:
    """The worker believes the store within half a minute of its next look; only if it does not is it stuck."""
    if token.present and token.since and facts.now - token.since > RESET_LIMIT:
        fix = "Restart the worker: it should have taken the store's token by itself by now"
        return make("generation_reset", since=token.since, severity=Severity.ERROR, fix=fix)
    return make("generation_reset", since=token.since)


def _feed(facts: Facts, worker: WorkerView, beat: Heartbeat) -> Iterator[Finding]:
    if not worker.connected:
        yield make("feed_down", since=beat.last_frame_at)
        return
    waited = silence(worker, facts.market, facts.now)
    if waited is not None and waited > TICK_FRESH:
        yield make("feed_mute", span(waited), since=beat.last_tick_at or beat.connected_at)
    elif waited is not None:
        yield make("first_tick_awaited")


def _reported(beat: Heartbeat) -> Iterator[Finding]:
    """Pass on what the worker found itself, in our words where we have some, in its own otherwise."""
    for entry in beat.findings:
        code, detail = str(entry.get("code", "")), str(entry.get("detail") or "")[:_MAX_WORDS]
        if not _CODE.fullmatch(code) or code == ABSENT:
            continue
        try:
            since = parse_instant(str(entry.get("since")))
        except ValueError:
            since = None
        yield _passed_on(code, detail, since)


def _passed_on(code: str, detail: str, since: datetime | None) -> Finding:
    if code not in KINDS:
        return Finding(code, Severity.WARNING, detail or code.replace("_", " "), "Look at the worker's log", since)
    if code == "feed_mute" and detail:  # found by the absence of any packet, not by the clock: the worker's own words
        return replace(make(code, since=since), title=detail)
    return make(code, detail, since=since)


def _calendar(facts: Facts) -> Iterator[Finding]:
    market, today = facts.market, facts.now.astimezone(IST).date()
    last = market.valid_through
    ended = last is not None and today > last
    if market.unknown:
        yield make("calendar_ended", f"{last:%d %B %Y}") if ended else make("session_times_unknown")
    if last is not None and not ended and last - today <= CALENDAR_WARNING:
        yield make("calendar_ends_soon", f"{last:%d %B %Y}")
    if market.overrides_problem:
        yield make("market_overrides_broken", market.overrides_problem)
    beat = facts.heartbeat
    if beat and beat.version and beat.version != facts.version:
        yield make("version_drift", f"{beat.version}, this page {facts.version}")
    if beat and beat.redis == "unreachable":
        yield make("redis_unreachable")
