"""Keeps secrets out of every log line, whoever writes it, however it is encoded.

Three nets, all over the finished line, so that message, arguments, extra fields, traceback and stack are under them:
names that carry secrets in URLs, headers and JSON; shapes that only our secrets have; and the values that the process
has learned to be secret, with their encoded forms and their beginnings.
"""

import base64
import json
import logging
import re
import sys
import threading
import traceback
from collections import OrderedDict
from html import escape
from types import TracebackType
from urllib.parse import quote, quote_plus

BLANK = "***"
SECRET_NAMES = (
    "access_token",
    "request_token",
    "refresh_token",
    "public_token",
    "enctoken",
    "api_secret",
    "checksum",
    "ticket",
    "password",
    "twofa_value",
)
MIN_SECRET_LENGTH = 6
"""A shorter value would blank ordinary words."""
PREFIX_LENGTH = 8
"""So much of a long secret's beginning gives it away: `token[:8]` in a log is blanked too."""
MIN_PREFIXED_LENGTH = 16
MAX_VALUES = 64
"""The oldest are forgotten beyond it; a process learns a handful a day."""

_names = "|".join(SECRET_NAMES)
_start = r"(?:\b|(?<=%[0-9A-Fa-f]{2}))"
"""Where a word begins; also after a URL-encoded character, whose last one is a letter or digit too."""
_before = r"""(?:\\?["']?\s*(?:=|:|%3D|%253D)\s*|\\?["']\s*,\s*)\[?b?\\?["']?"""
_NAMED = re.compile(rf"""(?i){_start}((?:{_names}){_before})[^\s&"',;)}}\]<>\\]+""")
_PARAMETERS = re.compile(r"""(["']Value\\*["']\s*:\s*b?\\*["'])[^"'\\]+""")
"""What SSM is told and tells: botocore logs it at DEBUG before anybody could learn the secret in it."""
_HEADERS = re.compile(
    r"""(?i)\b((?:(?:proxy-)?authorization|(?:set-)?cookie)(?:["']?\s*[:=]\s*|["']\s*,\s*)\[?b?["']?)[^"'\r\n]+"""
)
_SHAPES = re.compile(
    _start + r"v1\.[A-Za-z0-9_-]{22}\.[0-9]{1,12}\.[A-Za-z0-9_-]+"  # a login's state
    r"|" + _start + r"k[krt]_[A-Za-z0-9_-]{20,}"  # the key of tickets, a relay key, a ticket
    r"|(?<=__Host-kr-owner=)[A-Za-z0-9_-]+|(?<==)[A-Za-z0-9_-]{43}(?=;\s*Path=/)"  # our cookies
    r"|\b[0-9]{8,12}:[A-Za-z0-9_-]{30,}"  # a Telegram bot's token
)
_ATTEMPT_COOKIE = re.compile(r"(__Host-kr-[A-Za-z0-9_-]{22}=)[A-Za-z0-9_-]+")


class Scrubber:
    """Knows the process's secrets and blanks them."""

    def __init__(self) -> None:
        self._values: OrderedDict[str, re.Pattern[str]] = OrderedDict()
        self._lock = threading.Lock()

    def learn(self, *values: str) -> None:
        """Register values that must never be shown. Only what we were given or made: a stranger must not fill this."""
        with self._lock:
            for value in values:
                if value in self._values:
                    self._values.move_to_end(value)
                elif len(value) >= MIN_SECRET_LENGTH:
                    self._values[value] = re.compile("|".join(_forms(value)))
                    while len(self._values) > MAX_VALUES:
                        self._values.popitem(last=False)

    def scrub(self, text: str) -> str:
        """Return the text without its secrets."""
        with self._lock:
            patterns = list(self._values.values())
        for pattern in patterns:
            text = pattern.sub(BLANK, text)
        for names in (_PARAMETERS, _NAMED, _HEADERS):
            text = names.sub(rf"\g<1>{BLANK}", text)
        return _SHAPES.sub(BLANK, _ATTEMPT_COOKIE.sub(rf"\g<1>{BLANK}", text))


scrubber = Scrubber()
"""The process's own: whoever reads a secret calls `scrubber.learn`."""


class ScrubbingFormatter(logging.Formatter):
    """Formats as another formatter does, and scrubs the finished line.

    Args:
        inner: the formatter that decides how a line looks (the standard library's, structlog's, Powertools').
    """

    def __init__(self, inner: logging.Formatter | None = None) -> None:
        super().__init__()
        self.inner = inner or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """Give the line without its secrets."""
        return scrubber.scrub(self.inner.format(record))


def install(*loggers: logging.Logger) -> None:
    """Scrub what the loggers' handlers write; without any, the root's: every library ends there. May be repeated."""
    for logger in loggers or (logging.getLogger(),):
        for handler in logger.handlers:
            if not isinstance(handler.formatter, ScrubbingFormatter):
                handler.setFormatter(ScrubbingFormatter(handler.formatter))


def install_excepthooks() -> None:
    """Scrub the traceback of what nobody caught, in every thread."""
    sys.excepthook = _print_scrubbed
    threading.excepthook = lambda thrown: (
        _print_scrubbed(thrown.exc_type, thrown.exc_value, thrown.exc_traceback) if thrown.exc_value else None
    )


def _print_scrubbed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr.write(scrubber.scrub("".join(traceback.format_exception(kind, error, trace))))


def _forms(value: str) -> list[str]:
    """Write a value in every way that a log may show it, as regular expressions, longest first."""
    raw = value.encode()
    once = quote(value, safe="")
    literal = {value, once, quote(value), quote_plus(value), quote(once, safe=""), escape(value), repr(value)[1:-1]}
    literal |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], raw.hex(), raw.hex().upper()}
    literal |= _base64_forms(raw)
    beginnings = [rf"{re.escape(value[:PREFIX_LENGTH])}[\w.~%+/=-]*"] if len(value) >= MIN_PREFIXED_LENGTH else []
    return [re.escape(form) for form in sorted(literal, key=len, reverse=True) if form] + beginnings


def _base64_forms(raw: bytes) -> set[str]:
    """Encode in Base64 at each of the three alignments, without the letters that the neighbours share."""
    forms = set()
    for offset, shared in ((0, 0), (1, 2), (2, 3)):
        whole = base64.b64encode(bytes(offset) + raw)
        tail = {0: 0, 1: 3, 2: 2}[(offset + len(raw)) % 3]
        text = whole[shared : len(whole) - tail].decode()
        if len(text) >= PREFIX_LENGTH:
            forms |= {text, text.replace("+", "-").replace("/", "_")}
    return forms
