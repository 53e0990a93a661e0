"""No secret gets into a log line, whoever writes it and however it is encoded."""

import base64
import io
import json
import logging
import subprocess
import sys
import time
from html import escape
from urllib.parse import quote, quote_plus

import pytest
from aws_lambda_powertools import Logger

from functions.log import ScrubbedLine
from kite_relay.domain.login import ENTROPY_BYTES, issue
from kite_relay.logging import BLANK, MAX_VALUES, Scrubber, ScrubbingFormatter, install, scrubber
from tests.fakes import FakeClock

SECRET = "s3cr3t/To+k&en=\"'é~value"
ENCODED = {
    "plain": SECRET,
    "quoted": quote(SECRET, safe=""),
    "quoted path": quote(SECRET),
    "quoted twice": quote(quote(SECRET, safe=""), safe=""),
    "form": quote_plus(SECRET),
    "html": escape(SECRET),
    "json": json.dumps(SECRET),
    "repr": repr(SECRET),
    "hex": SECRET.encode().hex(),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64 url": base64.urlsafe_b64encode(SECRET.encode()).decode(),
    "beginning": SECRET[:8],
    "beginning, cut": SECRET[:11] + "...",
}


@pytest.mark.parametrize("form", ENCODED)
def test_a_learned_secret_is_blanked_in_every_form(form: str) -> None:
    """However a library shows it."""
    own = Scrubber()
    own.learn(SECRET)
    shown = own.scrub(f"before {ENCODED[form]} after")
    assert BLANK in shown
    assert SECRET[:8] not in shown
    assert ENCODED[form] not in shown


@pytest.mark.parametrize("around", [("", ""), ("a", "b"), ("ab", "cd"), ("api_key:", ":end")])
def test_a_secret_inside_something_encoded_is_blanked(around: tuple[str, str]) -> None:
    """Base64 of `key:token` holds the token at any of three alignments."""
    own = Scrubber()
    secret = "Zx9Qw8Er7Ty6Ui5Op4As3"
    own.learn(secret)
    encoded = base64.b64encode(f"{around[0]}{secret}{around[1]}".encode()).decode()
    shown = own.scrub(encoded)
    assert BLANK in shown
    assert len(shown) < len(encoded)


LINES = [
    "GET /?api_key=k&access_token=SEEKRIT HTTP/1.1",
    "> GET /?api_key=k&access_token=SEEKRIT HTTP/1.1",
    "{'access_token': ['SEEKRIT'], 'api_key': ['k']}",
    '{"access_token": "SEEKRIT", "user_id": "AB1234"}',
    '"{\\"request_token\\": \\"SEEKRIT\\"}"',
    "('access_token', 'SEEKRIT')",
    "(b'Authorization', b'token k:SEEKRIT')",
    "> Authorization: token k:SEEKRIT",
    "{'Authorization': 'token k:SEEKRIT', 'X-Kite-Version': '3'}",
    "Cookie: __Host-kr-owner=SEEKRIT; other=1",
    "redirect=%2Fcallback%3Frequest_token%3DSEEKRIT%26action",
    "checksum=SEEKRIT&api_key=k",
    "DELETE /session/token?api_key=k&access_token=SEEKRIT",
    "api_secret: SEEKRIT",
    "ws://host/?api_key=dashboard&access_token=SEEKRIT failed",
    "ticket='SEEKRIT'",
    '{"Name": "/kite-relay/access_token", "Value": "SEEKRIT", "Type": "SecureString"}',
    '\'body\': b\'{"Name": "/kite-relay/api_secret", "Value": "SEEKRIT"}\'',
    '"Response body:\\nb\'{\\"Parameter\\": {\\"Type\\": \\"SecureString\\", \\"Value\\": \\"SEEKRIT\\"}}\'"',
]


@pytest.mark.parametrize("line", LINES)
def test_what_a_name_gives_away_is_blanked(line: str) -> None:
    """A secret that nobody learned, where libraries log it at DEBUG."""
    shown = Scrubber().scrub(line)
    assert "SEEKRIT" not in shown
    assert BLANK in shown


def test_what_has_the_shape_of_ours_is_blanked() -> None:
    """States, relay keys and cookies of strangers are never learned, and never shown."""
    attempt = issue(b"key", FakeClock().now(), bytes(range(ENTROPY_BYTES)))
    cookie = f"__Host-kr-{attempt.attempt_id}=x{'a' * 42}"
    keys = " ".join(f"{start}_abcdefghijklmnopqrstuv" for start in ("kr", "kt", "kk"))
    line = f"redirect_params=state%3D{attempt.state} {keys} {cookie}"
    shown = Scrubber().scrub(line)
    assert attempt.state.rsplit(".", 1)[1] not in shown
    assert "_abc" not in shown
    assert "xaaa" not in shown


@pytest.mark.parametrize(
    "line", ["instrument token=256265 mode=full", "state=Live(generation=3)", "no ticket today", "v1.2.3"]
)
def test_ordinary_words_stay(line: str) -> None:
    """A log that says nothing is no log."""
    own = Scrubber()
    own.learn("short", SECRET)
    assert own.scrub(line) == line


@pytest.mark.parametrize(
    "piece", ["\\", '"Value"', "access_token=", "access_token ", " ", "0", "a", "kr_", "v1.", "%3D", "'", "="]
)
def test_no_line_takes_long(piece: str) -> None:
    """A stranger decides what a library logs of him: a pattern must not look at a line again and again."""
    own = Scrubber()
    own.learn(SECRET)
    began = time.process_time()
    own.scrub(piece * (200_000 // len(piece)))
    assert time.process_time() - began < 1.0


def test_a_stranger_cannot_fill_the_memory() -> None:
    """The oldest values are forgotten; one that is learned again stays."""
    own = Scrubber()
    for number in range(3 * MAX_VALUES):
        own.learn("the-apps-own-secret", f"value-{number:06d}-of-many")
    assert len(own._values) == MAX_VALUES
    assert own.scrub("the-apps-own-secret") == BLANK


def test_traceback_stack_and_arguments_are_under_it() -> None:
    """The finished line is scrubbed, so nothing that goes into it escapes."""
    sink, logger = io.StringIO(), logging.getLogger("tests.scrubbing")
    logger.handlers = [logging.StreamHandler(sink)]
    install(logger)
    install(logger)
    scrubber.learn("canary-in-a-traceback-1")
    try:
        {"a": 1}["canary-in-a-traceback-1"]
    except KeyError:
        logger.exception("failed with %s", "canary-in-a-traceback-1", stack_info=True)
    assert "canary" not in sink.getvalue()
    assert "KeyError" in sink.getvalue()
    (handler,) = logger.handlers
    assert isinstance(handler.formatter, ScrubbingFormatter)
    assert not isinstance(handler.formatter.inner, ScrubbingFormatter)


def test_powertools_extra_fields_are_under_it() -> None:
    """A field beside the message is no way out."""
    sink = io.StringIO()
    scrubber.learn("canary-in-an-extra-field")
    logger = Logger(service="scrubbing", stream=sink, logger_formatter=ScrubbedLine())
    logger.info("login", extra={"detail": {"deep": ["canary-in-an-extra-field"]}})
    assert "canary" not in sink.getvalue()
    assert json.loads(sink.getvalue())["detail"] == {"deep": [BLANK]}


def test_what_nobody_caught_is_under_it() -> None:
    """In the main thread and in others."""
    program = (
        "import threading; from kite_relay.logging import install_excepthooks, scrubber\n"
        "install_excepthooks(); scrubber.learn('canary-that-nobody-caught')\n"
        "def fail(): raise ValueError('canary-that-nobody-caught')\n"
        "thread = threading.Thread(target=fail); thread.start(); thread.join(); fail()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert "nobody-caught')" in done.stderr or BLANK in done.stderr
    assert done.stderr.count(f"ValueError: {BLANK}") == 2
