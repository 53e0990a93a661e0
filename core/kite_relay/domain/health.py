"""From facts to findings, from findings to one verdict and one thing to do: the same for every reader."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from kite_relay.domain.market import Status as Market
from kite_relay.domain.status_findings import Finding, Severity, hide_consequences
from kite_relay.domain.status_market import next_login_time
from kite_relay.domain.status_rules import Facts, all_findings, login_words
from kite_relay.domain.status_token import TokenStatus, TokenView, judge_token
from kite_relay.domain.status_words import clock, moment, moment_ist
from kite_relay.domain.status_worker import Feature, WorkerView, features, flowing, view_worker
from kite_relay.domain.token import IST

_WORKER_GONE = frozenset({"worker_never_seen", "worker_silent", "api_key_missing"})


class Status(StrEnum):
    """The verdict in one word."""

    HEALTHY = "healthy"
    """Ticks flow."""
    IDLE = "idle"
    """Nothing is expected now, and nothing needs anybody."""
    DEGRADED = "degraded"
    """Something does not work."""
    NEEDS_LOGIN = "needs_login"
    """A person must log in now."""
    DOWN = "down"
    """Nothing can flow until the worker, or its set-up, is mended."""

    @property
    def fine(self) -> bool:
        """Whether nobody needs to act (HTTP 200; otherwise 503)."""
        return self in (Status.HEALTHY, Status.IDLE)


@dataclass(frozen=True, slots=True)
class Health:
    """The answer to `how is it?`."""

    status: Status
    verdict: str
    next_action: str
    token: TokenView
    worker: WorkerView
    features: Mapping[str, Feature]
    findings: Sequence[Finding]


def assess(facts: Facts) -> Health:
    """Judge the whole."""
    token = judge_token(facts.token, facts.now)
    worker = view_worker(facts.heartbeat, facts.now, board_answered=facts.board_answered)
    findings = hide_consequences(all_findings(facts, token, worker))
    needed = token.present or facts.market.login_helps(facts.now)
    shown = features(worker, facts.market, facts.now, token_needed=needed)
    status = _status(findings, shown, token)
    return Health(
        status=status,
        verdict=_verdict(status, facts, token, worker, findings),
        next_action=_next_action(facts, token, findings),
        token=token,
        worker=worker,
        features=shown,
        findings=findings,
    )


def _status(findings: Sequence[Finding], shown: Mapping[str, Feature], token: TokenView) -> Status:
    grave = [finding for finding in findings if finding.severity is Severity.CRITICAL]
    if any(finding.code in _WORKER_GONE for finding in grave):
        return Status.DOWN
    if grave:
        return Status.NEEDS_LOGIN
    if any(finding.severity is Severity.ERROR for finding in findings):
        return Status.DEGRADED
    live = shown["market_feed"] is Feature.ACTIVE and token.status is TokenStatus.VALID
    return Status.HEALTHY if live else Status.IDLE


def _blockers(findings: Sequence[Finding]) -> list[Finding]:
    """List what must be mended. They come in the order of mending: the worst first, the worker before the login."""
    return [finding for finding in findings if finding.severity.rank >= Severity.ERROR.rank]


def _next_action(facts: Facts, token: TokenView, findings: Sequence[Finding]) -> str:
    blockers = _blockers(findings)
    if blockers:
        first, *rest = blockers
        login = next((it for it in rest if it.severity is Severity.CRITICAL and it.code.startswith("token_")), None)
        return f"{first.fix}, then l{login.fix[1:]}" if login and login.fix.startswith("Log") else first.fix
    market = _market_words(facts)
    start = next_login_time(facts.market, facts.now)
    today = start is not None and start.date() == facts.now.astimezone(IST).date()
    if token.status is TokenStatus.VALID and not (today and _dies_first(facts, token)):
        return market
    return f"{market}; l{login_words(facts.market, facts.now, facts.login_url)[1:]}"


def _dies_first(facts: Facts, token: TokenView) -> bool:
    """Tell whether a token that is still good dies before the next session, so that it is of no use any more."""
    start = next_login_time(facts.market, facts.now)
    return start is not None and token.expires_at is not None and token.expires_at <= start


def _market_words(facts: Facts) -> str:
    """Say what the market does now and when that changes: the whole next action while all is well."""
    market = facts.market
    words = f"Market {market.status}"
    if market.status is Market.LIVE:
        until = market.segments["cash"].until
        return f"Nothing to do: {words[0].lower()}{words[1:]} until {clock(until)}" if until else words
    if market.next_open:
        return f"{words} - opens {moment(market.next_open, facts.now)}"
    return f"{words} - not known from {moment(market.unknown_from, facts.now)} on" if market.unknown_from else words


def _verdict(status: Status, facts: Facts, token: TokenView, worker: WorkerView, findings: Sequence[Finding]) -> str:
    titles = [finding.title for finding in _blockers(findings)]
    match status:
        case Status.HEALTHY:
            return f"Live: ticks are flowing. {_token_words(facts, token)}."
        case Status.IDLE if token.status is TokenStatus.VALID and not _dies_first(facts, token):
            return f"Ready: {_phase_words(facts)}. {_token_words(facts, token)}."
        case Status.IDLE:
            bad = (it.title for it in findings if it.code.startswith("token_"))
            why = _token_words(facts, token) if token.status is TokenStatus.VALID else next(bad)
            return f"Resting: {_phase_words(facts)}. {why}; no login is worth it before {_login_moment(facts)}."
        case Status.DEGRADED:
            return (
                f"Ticks are flowing, but: {titles[0]}." if flowing(worker, facts.market) else f"Degraded: {titles[0]}."
            )
        case Status.NEEDS_LOGIN:
            return f"Login needed: {titles[0]}."
    return "Down: " + ". ".join(titles[:2]) + "."


def _token_words(facts: Facts, token: TokenView) -> str:
    made = f"The token from {moment_ist(token.minted_at, facts.now)}" if token.minted_at else "The token"
    return f"{made} should last until {moment_ist(token.expires_at, facts.now)}" if token.expires_at else made


def _phase_words(facts: Facts) -> str:
    """Say the market's phase as part of a sentence."""
    market = facts.market
    words = {
        Market.CLOSED: "the market is closed",
        Market.PRE_OPEN: "the market is in its pre-open",
        Market.LIVE: "the market is open",
        Market.CLOSING_AUCTION: "the market is in its closing auction",
        Market.POST_CLOSE: "the market is in its post-close session",
        Market.UNKNOWN: "the market's hours are not known",
    }[market.status]
    if market.status is Market.CLOSED and market.holiday:
        words += f" for {market.holiday}"
    if market.status is not Market.LIVE and market.next_open:
        words += f" and opens {moment_ist(market.next_open, facts.now)}"
    return words


def _login_moment(facts: Facts) -> str:
    start = next_login_time(facts.market, facts.now)
    return moment_ist(start, facts.now) if start else "the next trading day"
