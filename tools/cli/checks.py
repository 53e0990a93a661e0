"""The doctor's checks, in the order in which one would mend things: the first that fails is often why others do."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kite_relay import __version__
from kite_relay.adapters.aws import aws_errors
from kite_relay.adapters.calendar import CalendarSource, load_calendar
from kite_relay.adapters.kite_rest import KiteRest
from kite_relay.domain.errors import KiteRelayError, TokenRejectedError, WillPassError
from kite_relay.domain.status_market import CALENDAR_WARNING, MarketFacts
from kite_relay.domain.status_rules import login_words
from kite_relay.domain.status_worker import SILENT_AFTER, SKEW_ERROR, SKEW_WARNING
from kite_relay.domain.token import IST
from kite_relay.logging import scrubber
from kite_relay.ports import required
from tools.cli.exits import Exits, exit_for
from tools.cli.patient import Patient
from tools.cli.place import require_aws
from tools.cli.style import ago

EGRESS = "https://checkip.amazonaws.com"
TLS_WARNED, TLS_BAD = timedelta(days=21), timedelta(days=5)
LOGIN = "`kite-relay login`"
START = "Start the worker: `docker compose up -d` on its machine, then read its log"
SERVE = "Start everything: `kite-relay serve`; PUBLIC_URL tells where its pages are, if not at the usual port"


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found. `tone`: good, warn, bad, or soft when it does not matter here and now."""

    name: str
    tone: str
    detail: str
    fix: str = ""
    code: Exits = Exits.OK


Finding = tuple[str, str, str]
"""Tone, detail, and the fix where the check knows a better one than its usual."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to examine.

    Args:
        name: what it is called.
        run: examines it.
        fix: what to do when it is bad.
        code: the exit code then.
        needs: the checks that must not be bad before: this one would only repeat their complaint.
        here: what to do on one machine, if that differs.
    """

    name: str
    run: Callable[[Patient], Finding]
    fix: str
    code: Exits
    needs: tuple[str, ...] = ()
    here: str = ""


def examine(patient: Patient) -> Iterator[Result]:
    """Run every check; an error of ours is a result, not an end."""
    roots: dict[str, str] = {}
    for check in CHECKS:
        if root := next((roots[name] for name in check.needs if name in roots), ""):
            roots[check.name] = root
            yield Result(check.name, "soft", f"not looked at: needs {root}")
            continue
        result = _run(check, patient)
        if result.tone == "bad":
            roots[check.name] = check.name
        yield result


def _run(check: Check, patient: Patient) -> Result:
    try:
        tone, detail, better = check.run(patient)
    except TokenRejectedError as error:
        return _without_token(check, patient, str(error))
    except KiteRelayError as error:
        code = Exits.DEGRADED if isinstance(error, WillPassError) else exit_for(error)
        return Result(check.name, "bad", str(error), _fix(check, patient), code)
    if tone != "bad":
        return Result(check.name, tone, detail, better)
    return Result(check.name, tone, detail, better or _fix(check, patient), check.code)


def _without_token(check: Check, patient: Patient, detail: str) -> Result:
    """Ask for a login when it helps, as `status` does; at other times nobody needs to act."""
    now = patient.now()
    market = MarketFacts.read(CalendarSource(patient.parameters).current(now), now)
    fix = login_words(market, now, LOGIN)
    if market.login_helps(now):
        return Result(check.name, "bad", detail, fix, Exits.NEEDS_LOGIN)
    return Result(check.name, "soft", f"{detail}; none is needed now", fix)


def _fix(check: Check, patient: Patient) -> str:
    return check.here if check.here and patient.on_one_machine else check.fix


def place(patient: Patient) -> Finding:
    """Where everything stands."""
    if patient.on_one_machine:
        return "good", f"one machine: {patient.get('ENV_FILE')}", ""
    return (
        "good",
        f"stack {patient.get('STACK_NAME', '(from the environment)')}, parameters {patient.get('PARAMETER_PREFIX')}",
        "",
    )


def identity(patient: Patient) -> Finding:
    """Who we are at AWS, and in which region."""
    if patient.on_one_machine:
        return _not_here()
    require_aws()
    client = patient.aws("sts")
    with aws_errors("asking AWS who we are"):
        who = client.get_caller_identity()
    return "good", f"{who['Arn']} in {client.meta.region_name}", ""


def parameters(patient: Patient) -> Finding:
    """Whether the app's keys are there."""
    missing = [name for name in ("api_key", "api_secret") if not patient.parameters.exists(name)]
    if missing:
        return "bad", f"{' and '.join(missing)} not set", ""
    more = [name for name in ("relay_keys", "notify_urls", "market_overrides") if patient.parameters.exists(name)]
    return "good", "api_key and api_secret are set" + (f"; also {', '.join(more)}" if more else ""), ""


def redirect(patient: Patient) -> Finding:
    """Whether the login leads to Zerodha with our key; only a person can compare the registered URL."""
    page = patient.get("STATUS_URL").rstrip("/")
    if not page:
        return "soft", "no page is known here: set STATUS_URL to check it", ""
    answer = patient.ask(f"{page}/login")
    target = urlsplit(answer.headers.get("location", ""))
    if answer.status not in (HTTPStatus.FOUND, HTTPStatus.SEE_OTHER) or not target.path.endswith("/connect/login"):
        return "bad", f"{page}/login answers {answer.status} instead of leading to Zerodha", ""
    api_key = required(patient.parameters, "api_key")
    if parse_qs(target.query).get("api_key") != [api_key]:
        return (
            "bad",
            f"{page}/login uses another API key than the one stored",
            "Store the right one: `kite-relay setup`",
        )
    registered = patient.get("REDIRECT_URL", f"{page}/callback")
    return "good", f"{page}/login leads to Zerodha; registered there must be exactly {registered}", ""


def queue(patient: Patient) -> Finding:
    """Whether announcements flow, and none died."""
    if patient.on_one_machine:
        return _not_here()
    if not patient.get("QUEUE_URL"):
        return "soft", "no queue is known here: set QUEUE_URL to check it", ""
    waiting = _messages(patient, "QUEUE_URL")
    dead = _messages(patient, "DEAD_LETTERS_URL") if patient.get("DEAD_LETTERS_URL") else 0
    if dead:
        fix = "Read them in the SQS console, then purge the dead-letter queue; the runbook tells what each means"
        return "bad", f"{dead} dead {'letter' if dead == 1 else 'letters'}", fix
    if waiting:
        return (
            "warn",
            f"{waiting} {'announcement' if waiting == 1 else 'announcements'} that the worker does not take",
            "Start the worker, or read its log",
        )
    return "good", "empty, and no dead letters", ""


def _messages(patient: Patient, variable: str) -> int:
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    with aws_errors("asking for the queue"):
        found = patient.aws("sqs").get_queue_attributes(QueueUrl=patient.get(variable), AttributeNames=names)
    return sum(int(found["Attributes"].get(name, 0)) for name in names)


def token(patient: Patient) -> Finding:
    """Ask Kite itself whether the token is good."""
    stored = patient.tokens.read()
    if stored is None or not stored.usable:
        raise TokenRejectedError("there is no token" if stored is None else "logged out")
    rest = KiteRest(patient.api_root, patient.parameters, scrubber.learn)
    user = rest.profile(stored.value)
    allowed = [it.strip() for it in patient.get("ALLOWED_USER_IDS").split(",") if it.strip()]
    if allowed and user not in allowed:
        return "bad", f"the token is {user}'s, who is not allowed here", "Log out, then log in as one of AllowedUserIds"
    return (
        "good",
        f"Kite accepts token {stored.generation} of {user}, stored {ago(stored.written_at, patient.now())}",
        "",
    )


def heartbeat(patient: Patient) -> Finding:
    """Whether the worker lives, and on which token."""
    beat = patient.heartbeat
    start = SERVE if patient.on_one_machine else START
    if beat is None or beat.heartbeat_at is None:
        return "bad", "the worker was never heard of", start
    now = patient.now()
    if now - beat.heartbeat_at > SILENT_AFTER:
        return "bad", f"the worker was last heard of {ago(beat.heartbeat_at, now)}", start
    stamp = patient.tokens.peek()
    if stamp and beat.generation != stamp.generation:
        return (
            "warn",
            f"it runs on token {beat.generation}, stored is {stamp.generation}",
            "Wait a minute; then read its log",
        )
    socket = "connected" if beat.connected else "not connected"
    return "good", f"heard of {ago(beat.heartbeat_at, now)}, {socket}, {beat.subscriptions} instruments", ""


def versions(patient: Patient) -> Finding:
    """Whether everything is of one version."""
    found = {"command line": __version__}
    if beat := patient.heartbeat:
        found["worker"] = beat.version
    if page := patient.get("STATUS_URL").rstrip("/"):
        answer = patient.ask(f"{page}/api/health")
        found["page"] = _version(answer.text)
    told = ", ".join(f"{name} {version or 'unknown'}" for name, version in found.items())
    if len(set(found.values())) > 1:
        return "warn", told, "Bring them to one version: `make deploy` for the pages, a new image for the worker"
    return "good", told, ""


def _version(text: str) -> str:
    try:
        return str(json.loads(text)["version"])
    except (ValueError, KeyError, TypeError):
        return ""


def clock(patient: Patient) -> Finding:
    """Whether this machine's clock is Kite's."""
    text = patient.ask(f"{patient.api_root}/").headers.get("date")
    try:
        theirs = parsedate_to_datetime(text or "")
    except ValueError:
        return "soft", "Kite told no time", ""
    skew = patient.now() - theirs.astimezone(UTC)
    seconds = abs(skew.total_seconds())
    words = f"{seconds:.0f} s {'ahead of' if skew > timedelta() else 'behind'} Kite's"
    if seconds > SKEW_WARNING + 1:  # the header has whole seconds
        return (
            "bad" if seconds > SKEW_ERROR else "warn",
            words,
            "Switch time synchronisation on: `timedatectl set-ntp true`",
        )
    return "good", "within 2 s of Kite's", ""


def tls(patient: Patient) -> Finding:
    """Whether the certificates last."""
    hosts = [urlsplit(patient.get(name)) for name in ("STATUS_URL", "RELAY_URL")]
    secure = [it for it in hosts if it.scheme in ("https", "wss") and it.hostname]
    if not secure:
        return "soft", "nothing here is served over TLS", ""
    ends = {str(it.hostname): patient.certificate_end(str(it.hostname), it.port or 443) for it in secure}
    left = {host: end - patient.now() for host, end in ends.items()}
    told = ", ".join(f"{host} {span.days} days" for host, span in left.items())
    shortest = min(left.values())
    if shortest < TLS_WARNED:
        fix = "Caddy renews by itself: see its log, and that ports 80 and 443 are open"
        return "bad" if shortest < TLS_BAD else "warn", f"left: {told}", fix
    return "good", f"left: {told}", ""


def egress(patient: Patient) -> Finding:
    """Which address the world sees us from; nothing of ours needs it, so that not to know it is no ill."""
    try:
        address = patient.ask(EGRESS).text.strip()[:45]
    except WillPassError as error:
        return "warn", f"not known: {error}", "See that this machine reaches the internet"
    return "good", f"{address} (only orders need it registered at Zerodha; ticks and logins do not)", ""


def calendar(patient: Patient) -> Finding:
    """How long the market data reaches."""
    end = load_calendar().data.valid_through
    left = end - patient.now().astimezone(IST).date()
    if left < CALENDAR_WARNING:
        fix = "Update kite-relay: the exchanges publish next year's list in December"
        return "bad" if left < timedelta(0) else "warn", f"known until {end}", fix
    return "good", f"known until {end}", ""


def _not_here() -> Finding:
    return "soft", "not needed on one machine", ""


CHECKS = (
    Check(
        "place", place, "Begin with `kite-relay setup`, or with `kite-relay setup --env-file .env`", Exits.CONFIGURATION
    ),
    Check("identity", identity, "Run `aws configure` or `aws sso login`", Exits.CONFIGURATION, ("place",)),
    Check(
        "parameters",
        parameters,
        "Run `kite-relay setup`",
        Exits.CONFIGURATION,
        ("identity",),
        here="Run `kite-relay setup --env-file` with this file",
    ),
    Check(
        "redirect URL",
        redirect,
        "Deploy again, then register the redirect URL at developers.kite.trade",
        Exits.CONFIGURATION,
        ("parameters",),
        here=SERVE,
    ),
    Check("queue", queue, "Let this identity read the queue's attributes", Exits.DEGRADED, ("identity",)),
    Check("token", token, f"Log in: {LOGIN}", Exits.NEEDS_LOGIN, ("parameters",)),
    Check(
        "worker",
        heartbeat,
        "See that the stack stands as it was deployed, and that this identity may read its table",
        Exits.DEGRADED,
        ("identity",),
        here="See that the file beside this one, which ends in .board, can be read",
    ),
    Check("versions", versions, "Open the page to see what it says", Exits.DEGRADED, ("redirect URL", "worker")),
    Check("clock", clock, "See that this machine reaches Kite", Exits.DEGRADED, ("place",)),
    Check("TLS", tls, "See Caddy's log on the worker's machine", Exits.DEGRADED, ("place",)),
    Check("address", egress, "", Exits.OK),
    Check("calendar", calendar, "Update kite-relay", Exits.DEGRADED),
)
