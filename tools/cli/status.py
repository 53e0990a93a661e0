"""`kite-relay status`: the same truth as the dashboard's, in the terminal."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Annotated, Any

import typer

from kite_relay.domain.errors import WillPassError
from tools.cli.exits import Exits
from tools.cli.status_source import source
from tools.cli.style import ago, columns, indian, is_seen, moment, paint, sign, span

app = typer.Typer(add_completion=False)
TONES = {"healthy": "good", "idle": "soft", "degraded": "warn", "needs_login": "bad", "down": "bad"}
GRAVITY = {"info": "soft", "critical": "bad"}
CODES = {"healthy": Exits.OK, "idle": Exits.OK, "needs_login": Exits.NEEDS_LOGIN}
Body = dict[str, Any]


@app.command(epilog="Exit code: 0 all is well, 3 somebody must log in, 4 something does not work.")
def status(
    *,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Keep looking; Ctrl-C ends it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON: the body of /api/health/detailed.")] = False,
    every: Annotated[float, typer.Option(min=0.5, max=3600, help="Seconds between two looks of --watch.")] = 2.0,
    url: Annotated[
        str | None,
        typer.Option(
            envvar="KITE_RELAY_URL", help="Ask this dashboard instead of AWS; KITE_RELAY_KEY opens the details."
        ),
    ] = None,
) -> None:
    """Tell whether the token is good, the market open and the feed alive, and what to do if not."""
    look = source(url)
    if watch:
        _watch(look, every, as_json=as_json)
    body = look()
    typer.echo(json.dumps(body, indent=2) if as_json else "\n".join(render(body)))
    raise typer.Exit(CODES.get(body["status"], Exits.DEGRADED))


def _watch(look: Callable[[], Body], every: float, *, as_json: bool) -> None:
    """Look again and again: a screen that stands still in a terminal, a line per change elsewhere."""
    last = None
    while True:
        try:
            body = look()
        except WillPassError as error:
            if last is None:  # it never answered: that may be a wrong address
                raise
            typer.echo(f"{error} (trying again)", err=True)
            time.sleep(every)
            continue
        if as_json:
            typer.echo(json.dumps(body))
        elif is_seen():
            sys.stdout.write("\x1b[H\x1b[2J" + "\n".join(render(body)) + paint("\n\nCtrl-C ends this.\n", "soft"))
            sys.stdout.flush()
        elif (body["status"], body["verdict"]) != last:
            typer.echo(f"{body['timestamp']} {body['status']} {body['verdict']}")
        last = body["status"], body["verdict"]
        time.sleep(every)


def render(body: Body) -> Iterator[str]:
    """Write the status as a person reads it."""
    now = datetime.fromisoformat(body["timestamp"])
    tone = TONES.get(body["status"], "warn")
    yield f"{sign(tone)} {paint(body['verdict'], 'strong')}"
    yield ""
    yield from columns(_rows(body, now))
    for finding in body["findings"]:
        yield ""
        yield f"{sign(GRAVITY.get(finding['severity'], 'warn'))} {paint(finding['title'], 'strong')}"
        yield f"  {finding['fix']}"
    yield ""
    yield f"Next: {body['next_action']}"


def _rows(body: Body, now: datetime) -> Iterator[tuple[str, str]]:
    expiry = body["token_expiry"]
    until = f", expected to last until {expiry['expires_at']} IST" if expiry["expires_at"] else ""
    verified = (
        f", verified {ago(_instant(expiry['verified_at']), now)}" if expiry["verified_at"] else ", never verified"
    )
    yield "Token", f"{expiry['status']}{until}{verified if expiry['expires_at'] else ''}"
    yield "Market", ", ".join(_segments(body["market"], now))
    if body.get("detail") != "full":
        yield "Details", "withheld: set KITE_RELAY_KEY to a relay key (kite-relay keys create NAME)"
        return
    yield "Worker", _worker(body["worker"], now)
    yield "Clients", ", ".join(_client(one) for one in body["worker"]["clients"]) or "none connected"
    yield "Versions", f"status {body['version']}, worker {body['worker']['version'] or 'unknown'}"


def _segments(market: Body, now: datetime) -> Iterator[str]:
    together: dict[tuple[str, str | None], list[str]] = {}
    for name, phase in market["segments"].items():
        together.setdefault((phase["status"], phase["until"]), []).append(name)
    for (word, ends), names in together.items():
        until = _instant(ends)
        left = f" until {moment(until, now)} ({span(until - now)} left)" if until else ""
        yield f"{word}{left}" if len(together) == 1 else f"{' and '.join(names)} {word}{left}"
    if market["holiday"]:
        yield f"holiday: {market['holiday']}"


def _worker(worker: Body, now: datetime) -> str:
    if not worker["last_heartbeat"]:
        return "never seen"
    socket = f"{'connected' if worker['connected'] else 'not connected'} on token {worker['generation']}"
    beat, tick = ago(_instant(worker["last_heartbeat"]), now), ago(_instant(worker["last_tick_at"]), now)
    return (
        f"{socket if worker['generation'] else 'without a token'}, heartbeat {beat}, last tick {tick}, "
        f"{worker['subscriptions']} instruments"
    )


def _client(client: Body) -> str:
    more = [
        f"{indian(client[name], 0)} {word}"
        for name, word in (("dropped", "dropped"), ("conflated", "ticks merged"))
        if client.get(name)
    ]
    times = f" x{client['connections']}" if client.get("connections", 1) > 1 else ""
    return f"{client['name']}{times}{' (' + ', '.join(more) + ')' if more else ''}"


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
