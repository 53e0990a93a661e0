"""The pages escape, link only what exists, and every response carries the strict headers."""

import re
from html import escape

import pytest

from functions.web import page

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>' & $title ${css}"


@pytest.mark.parametrize("tone", page.Tone)
def test_a_result_says_what_it_is_told_and_nothing_escapes(tone: page.Tone) -> None:
    """Text of any kind stays text, whatever it holds."""
    html = page.result_page(HOSTILE, HOSTILE, HOSTILE, action=(HOSTILE, "/login?a=1&b=" + HOSTILE), tone=tone)
    assert html.count(escape(HOSTILE)) >= 5
    assert "<script" not in html
    assert "onerror=alert(1)>" not in html


def test_every_asset_that_a_page_links_exists() -> None:
    """No page asks for a file that is not there."""
    html = page.result_page("a", "b", "c", action=("d", "/"), tone=page.Tone.WAIT, refresh_seconds=2)
    links = re.findall(r'(?:href|src)="/static/(\w+)/([^"]+)"', html)
    assert len(links) >= 4
    assert all(page.static_asset(digest, name) for digest, name in links)
    assert '<meta http-equiv="refresh" content="2">' in html


def test_no_inline_script_or_style() -> None:
    """The policy forbids them, so a page with one would look broken."""
    html = page.result_page("a", "b", "c", action=("d", "/"))
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", html)


def test_the_current_files_are_kept_for_ever_and_others_not_at_all() -> None:
    """Content hashes make caching safe; an old page still gets a file that works."""
    now, old = page.static_asset(page.DIGEST, "page.css"), page.static_asset("0" * 12, "page.css")
    assert now is not None
    assert old is not None
    assert "immutable" in now.headers["Cache-Control"]
    assert old.headers["Cache-Control"] == "no-store"
    assert now.headers["Content-Type"].startswith("text/css")
    assert now.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["../page.py", "/etc/passwd", "page.css/..", "", "result.html", "page.CSS"])
def test_only_known_names_are_served(name: str) -> None:
    """The name is looked up among the files of ours; no path is ever built from it."""
    assert page.static_asset(page.DIGEST, name) is None


def test_the_policy_is_strict() -> None:
    """Nothing inline, nothing foreign but the relay, no frame, no base."""
    policy = page.security_headers("wss://relay.example:4603/?x=1")["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "*" not in policy
    assert "default-src 'none'" in policy
    assert "connect-src 'self' wss://relay.example:4603;" in policy
    assert "frame-ancestors 'none'" in policy
    assert "connect-src 'self';" in page.security_headers()["Content-Security-Policy"]
