"""Findings: a root hides its consequences, once, and names them."""

from dataclasses import replace
from datetime import UTC, datetime
from graphlib import TopologicalSorter

import pytest

from kite_relay.domain.status_findings import KINDS, Finding, Severity, hide_consequences, make


def test_what_hides_what_has_no_circle() -> None:
    """With a circle two findings would hide each other, and nobody would see either."""
    order = tuple(TopologicalSorter({code: kind.hides for code, kind in KINDS.items()}).static_order())
    assert set(order) == set(KINDS), "a finding hides one that does not exist"


def test_no_kind_hides_itself_or_one_twice() -> None:
    """The table is clean."""
    for code, kind in KINDS.items():
        assert code not in kind.hides
        assert len(set(kind.hides)) == len(kind.hides), code


@pytest.mark.parametrize("code", KINDS)
def test_every_finding_says_what_and_what_to_do(code: str) -> None:
    """Title and fix are words without a full stop at the end; an unknown detail leaves no hole in braces."""
    finding = make(code, "the detail")
    for words in (finding.title, finding.fix):
        assert words
        assert not words.endswith(".")
        assert "{" not in words


def test_a_root_hides_its_consequences_through_several_steps() -> None:
    """A silent worker explains a mute feed, whatever stands between; it names what is really there."""
    shown = hide_consequences([make("feed_mute"), make("feed_down"), make("worker_silent", "3 minutes")])
    assert [finding.code for finding in shown] == ["worker_silent"]
    assert set(shown[0].hides) == {"feed_down", "feed_mute"}


def test_a_finding_is_told_in_the_contracts_words() -> None:
    """Its instant as a person in India reads it."""
    since = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
    own = Finding("disk_full", Severity.WARNING, "The disk is full", "Make room", since, ("worker_late",))
    assert own.to_body() == {
        "code": "disk_full",
        "severity": "warning",
        "title": "The disk is full",
        "fix": "Make room",
        "since": "2026-11-24T09:30:00+05:30",
        "hides": ["worker_late"],
    }
    assert replace(own, since=None).to_body()["since"] is None


def test_what_is_not_there_is_not_named() -> None:
    """`hides` lists what is hidden now, not what could be."""
    assert hide_consequences([make("worker_silent")])[0].hides == ()


def test_the_worst_come_first_and_none_comes_twice() -> None:
    """A code is told once, as the first who told it; findings of one severity keep their order."""
    found = [make("version_drift", "1"), make("worker_never_seen"), make("clock_skew"), make("clock_skew", "worker's")]
    codes = [finding.code for finding in hide_consequences(found) if finding.code != "version_drift"]
    assert codes == ["worker_never_seen", "clock_skew"]


def test_an_unknown_finding_stands_for_itself() -> None:
    """What only the worker knows hides nothing and is hidden by nothing."""
    own = Finding("disk_full", Severity.WARNING, "The disk is full", "Make room")
    assert hide_consequences([own, make("worker_late", "40 seconds")])[0] == own
