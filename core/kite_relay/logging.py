"""Keeps secrets out of every log line, whoever writes it.

Two nets: names that carry secrets in URLs, headers and JSON are blanked wherever they appear; and every value that the
process learns to be secret is registered and blanked literally, URL-encoded too.
"""

import logging
import re
from urllib.parse import quote

BLANK = "***"
SECRET_NAMES = (
    "access_token",
    "request_token",
    "api_secret",
    "checksum",
    "state",
    "ticket",
    "enctoken",
    "public_token",
)
MIN_SECRET_LENGTH = 6
"""A shorter registered value would blank ordinary words."""

_names = "|".join(SECRET_NAMES)
_NAMED = re.compile(rf"""(?i)\b((?:{_names})["']?\s*(?:=|:|%3D)\s*["']?)[^\s&"',;)}}]+""")
_HEADERS = re.compile(r"""(?i)\b((?:authorization|cookie|set-cookie)["']?\s*[:=]\s*["']?)[^"'\r\n]+""")


class SecretScrubber(logging.Filter):
    """A logging filter that blanks secrets in message, arguments and exception. Attach it to handlers, not loggers."""

    def __init__(self) -> None:
        super().__init__()
        self._values: set[str] = set()

    def learn(self, *values: str) -> None:
        """Register values that must never be shown."""
        for value in values:
            if len(value) >= MIN_SECRET_LENGTH:
                self._values |= {value, quote(value, safe="")}

    def scrub(self, text: str) -> str:
        """Return the text without its secrets."""
        for value in self._values:
            text = text.replace(value, BLANK)
        return _HEADERS.sub(rf"\g<1>{BLANK}", _NAMED.sub(rf"\g<1>{BLANK}", text))

    def filter(self, record: logging.LogRecord) -> bool:
        """Scrub a record in place; it is never dropped."""
        record.msg = self.scrub(record.getMessage())
        record.args = None
        if record.exc_info:
            record.exc_text = self.scrub(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


scrubber = SecretScrubber()
"""The process's own: whoever reads a secret calls `scrubber.learn`."""
