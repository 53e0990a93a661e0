"""Renders the pages and names the headers that every response carries.

A page holds no inline script and no inline style: all of it are files of ours, under one path that changes with their
content, so that a browser may keep them for ever.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

HERE = Path(__file__).parent
STATIC = HERE / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
IMMUTABLE = "public, max-age=31536000, immutable"


def _read_static() -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(STATIC.iterdir()) if path.suffix in TYPES}


FILES = _read_static()
DIGEST = hashlib.sha256(b"".join(name.encode() + body for name, body in FILES.items())).hexdigest()[:12]
ROOT = f"/static/{DIGEST}"
"""Under which address the static files stand; it changes when any of them does."""


class Tone(StrEnum):
    """How a result feels; each has a colour, an icon and a word."""

    GOOD = "good"
    WAIT = "wait"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Asset:
    """A static file as it goes out; `headers` hold its type, its caching and the security headers."""

    body: bytes
    headers: Mapping[str, str]


def static_asset(digest: str, name: str) -> Asset | None:
    """Give the file behind `/static/{digest}/{name}`; None when there is none (the name is looked up, never opened).

    A page of the version before asks with its old digest: it gets today's file, which no cache may keep.
    """
    body = FILES.get(name)
    if body is None:
        return None
    caching = IMMUTABLE if digest == DIGEST else "no-store"
    kind = TYPES[Path(name).suffix]
    return Asset(body, {**security_headers(), "Content-Type": kind, "Cache-Control": caching})


def security_headers(relay_url: str = "") -> dict[str, str]:
    """Name the headers that every response carries.

    Args:
        relay_url: the relay that the dashboard may open a socket to; the result pages need none.
    """
    relay = urlsplit(relay_url)
    connect = f"'self' {relay.scheme}://{relay.netloc}" if relay.netloc else "'self'"
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "manifest-src": "'self'",
        "connect-src": connect,
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Referrer-Policy": "no-referrer",
        "Strict-Transport-Security": "max-age=63072000",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


def template(path: Path) -> Template:
    """Read a page: the head that all share, then its own."""
    return Template((HERE / "head.html").read_text(encoding="utf-8") + path.read_text(encoding="utf-8"))


_DASHBOARD = template(HERE / "dashboard.html")
_RESULT = template(HERE / "result.html")
_WORDS = {Tone.GOOD: "Done", Tone.WAIT: "One moment", Tone.WARN: "Almost", Tone.BAD: "Not this time"}


def dashboard_page() -> str:
    """Render the dashboard: the same for everyone, for all that it shows it asks the API."""
    return _DASHBOARD.substitute(static=ROOT)


def result_page(
    title: str,
    sentence: str,
    next_step: str,
    *,
    action: tuple[str, str] | None = None,
    tone: Tone = Tone.GOOD,
    refresh_seconds: int | None = None,
) -> str:
    """Render the page that ends a login: what happened, what happens next, and at most one button.

    Args:
        title: the headline, a few words.
        sentence: what happened.
        next_step: what happens next, or what to do.
        action: (label, href) of the one button; the href is ours, never a visitor's input.
        tone: how it feels.
        refresh_seconds: ask again after so long ("working on it"), without any script.
    """
    button = f'<a class="button" href="{escape(action[1])}">{escape(action[0])}</a>' if action else ""
    refresh = f'<meta http-equiv="refresh" content="{refresh_seconds}">' if refresh_seconds else ""
    return _RESULT.substitute(
        title=escape(title),
        sentence=escape(sentence),
        next_step=escape(next_step),
        word=_WORDS[tone],
        tone=tone.value,
        static=ROOT,
        button=button,
        refresh=refresh,
    )
