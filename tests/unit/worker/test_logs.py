"""The worker's log: one line of JSON for each thing said, and no secret in any, wherever in it the secret was put."""

import json
import subprocess
import sys

from tests.fakes.canaries import access_token, leaks

KINDS = ("debug", "info", "warning", "error", "exception")
PROGRAM = """
import logging, sys
import structlog
from kite_relay.logging import scrubber
from worker.logs import configure

class Holder:
    def __init__(self, token): self.token = token
    def __repr__(self): return f"Holder({self.token})"

token = sys.stdin.read()
scrubber.learn(token)
configure("DEBUG")
log, plain = structlog.get_logger("ours"), logging.getLogger("a.library")
structlog.contextvars.bind_contextvars(session=token)
log.debug("as the event " + token)
log.info("as a value", token=token)
log.info("nested", detail={"a": [{"b": (token, {token})}], token: 1})
log.info("as bytes", raw=token.encode(), hexed=token.encode().hex(), view=bytearray(token.encode()))
log.info("in an object", holder=Holder(token))
log.bind(token=token).warning("bound")
log.info("with its stack", stack_info=True, token=token)
plain.debug("GET /?access_token=%s", token)
plain.info("%r", {"Authorization": b"token key:" + token.encode()})
plain.info("beginning %s...", token[:8])
plain.warning("extra", extra={"token": token})
try:
    try:
        raise KeyError(token)
    except KeyError as error:
        raise ValueError({"body": token.encode()}, [token]) from error
except ValueError as error:
    error.add_note(token)
    log.exception("failed", token=token)
    plain.exception("failed with %s", error)
    log.error("as an exception", exc_info=error)
try:
    raise ExceptionGroup(token, [OSError(1, token), RuntimeError(Holder(token))])
except ExceptionGroup:
    log.exception("a group")
"""


def test_no_line_holds_the_secret() -> None:
    """As event, value, key, bytes, repr, stack, context, argument, note, cause and group; by structlog and without."""
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, input=access_token(), capture_output=True, text=True, check=True)  # noqa: S603 - ours
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert (
        len(lines) == sum(PROGRAM.count(f"{name}.{kind}(") for name in ("log", "plain") for kind in KINDS) + 1
    )  # the bound one
    assert leaks("the log", done.stdout.encode() + done.stderr.encode()) == []
    assert all("***" in line for line in done.stdout.splitlines())
    assert "ValueError" in done.stdout
    assert "ExceptionGroup" in done.stdout
