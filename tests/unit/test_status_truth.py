"""The truth table: token x market x feed x worker x clock, every cell against what a person expects of it."""

import re
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from kite_relay.domain.health import Status
from kite_relay.domain.status_findings import Severity
from kite_relay.domain.status_token import TokenStatus
from kite_relay.domain.status_worker import Feature, Pulse
from kite_relay.domain.token import IST
from tools.truth_table.__main__ import DOCS, findings, render, with_findings
from tools.truth_table.cells import CLOCKS, LOGIN_URL, MOMENTS, TOKENS, WORKERS, Cell, cells, possible

LETTERS = {"H": Status.HEALTHY, "i": Status.IDLE, "D": Status.DEGRADED, "L": Status.NEEDS_LOGIN, "X": Status.DOWN}
RIGHT, WRONG = CLOCKS
ALL = list(cells())
LOGIN_TIME = ("8:00", "9:05", "10:00", "15:20", "18:30", "11:00")
"""How the moments are called at which a login helps: a session is on or ahead, and it is past 07:35."""


def expectations() -> dict[tuple[str, str, str], str]:
    """Read the table that a person wrote."""
    found: dict[tuple[str, str, str], str] = {}
    moment = ""
    for line in (Path(__file__).parent / "status_truth.txt").read_text().splitlines():
        if line.startswith("# "):
            moment = line[2:]
        elif moment and line:
            letters, token = line.split("  ", 1)
            found |= {(moment, token, worker): letter for worker, letter in zip(WORKERS, letters.split(), strict=True)}
    return found


def where(cell: Cell) -> str:
    """Name a cell."""
    return f"{cell.moment} | {cell.token} | {cell.worker} | clock {cell.clock}"


def login_helps(cell: Cell) -> bool:
    """Tell by the moment's name whether a login helps there."""
    return any(word in cell.moment for word in LOGIN_TIME)


def bad_token(cell: Cell) -> bool:
    """Tell whether the token is known to be of no use."""
    return cell.health.token.status in (TokenStatus.MISSING, TokenStatus.REJECTED, TokenStatus.EXPIRED)


@pytest.mark.promise(19)
def test_every_cell_is_what_a_person_expects(measured: Callable[[str, object], None]) -> None:
    """The whole table, no cell left out on either side."""
    expected = expectations()
    assert expected.keys() == set(product(MOMENTS, TOKENS, WORKERS))
    for (moment, token, worker), letter in expected.items():
        assert (letter == "-") == (not possible(token, worker)), (moment, token, worker)
    wrong = [
        f"{where(cell)}: {cell.health.status}, expected {LETTERS[expected[cell.moment, cell.token, cell.worker]]}"
        for cell in ALL
        if cell.clock == RIGHT and cell.health.status is not LETTERS[expected[cell.moment, cell.token, cell.worker]]
    ]
    measured("cells of the truth table", len(ALL))
    measured("wrong", len(wrong))
    assert wrong == []
    assert len(ALL) == 2 * sum(letter != "-" for letter in expected.values())


@pytest.mark.promise(19)
def test_green_is_never_a_lie() -> None:
    """Healthy means: a token that Kite takes, a worker that speaks, and in an open phase a tick within 30 seconds."""
    for cell in ALL:
        beat, health = cell.facts.heartbeat, cell.health
        if health.features["market_feed"] is Feature.ACTIVE:
            assert beat, where(cell)
            assert beat.last_tick_at, where(cell)
            assert (cell.facts.now - beat.last_tick_at).total_seconds() <= 30, where(cell)
        if health.status is Status.HEALTHY:
            assert health.features["market_feed"] is Feature.ACTIVE, where(cell)
            assert health.token.status is TokenStatus.VALID, where(cell)
        if health.status.fine:
            assert cell.facts.board_answered, where(cell)
            assert cell.facts.token.store_answered, where(cell)
            assert not cell.facts.market.unknown, where(cell)
            assert health.worker.pulse in (Pulse.FRESH, Pulse.LATE), where(cell)


@pytest.mark.promise(19)
def test_a_silent_worker_makes_every_feed_feature_stale() -> None:
    """Whatever it last said."""
    for cell in ALL:
        if cell.health.worker.pulse not in (Pulse.FRESH, Pulse.LATE):
            assert set(cell.health.features.values()) == {Feature.STALE}, where(cell)
            assert not cell.health.status.fine, where(cell)


def test_a_login_is_asked_for_when_and_only_when_it_helps() -> None:
    """A bad token leads to the login page in login time, and to a time to come back otherwise."""
    for cell in ALL:
        action, health = cell.health.next_action, cell.health
        asked = action.startswith("Log in: ") or ", then log in: " in action
        if asked:
            assert login_helps(cell), where(cell)
            assert action.endswith(LOGIN_URL), where(cell)
        known = cell.facts.token.store_answered
        if bad_token(cell) and login_helps(cell) and known:
            assert asked, where(cell)
            assert health.status in (Status.NEEDS_LOGIN, Status.DOWN), where(cell)
        if bad_token(cell) and health.status is Status.IDLE:
            assert "log in" in action, where(cell)
            assert "or later" in action, where(cell)
        if health.status is Status.NEEDS_LOGIN:
            assert asked, where(cell)


def test_a_worker_that_is_gone_is_started_before_anything_else() -> None:
    """Its start stands first in the sentence; a login may follow."""
    for cell in ALL:
        gone = cell.health.worker.pulse in (Pulse.SILENT, Pulse.NEVER)
        assert gone == (cell.health.status is Status.DOWN), where(cell)
        if gone:
            assert cell.health.next_action.startswith("Start the worker"), where(cell)


def test_when_nothing_is_wrong_the_next_action_tells_of_the_market() -> None:
    """The contract's own sentences; all that is wrong otherwise has a finding whose fix is the next action."""
    for cell in ALL:
        action, health = cell.health.next_action, cell.health
        if health.status.fine:
            assert action.startswith(("Market ", "Nothing to do: market LIVE")), where(cell)
            assert all(finding.severity.rank < Severity.ERROR.rank for finding in health.findings), where(cell)
        else:
            worst = [finding for finding in health.findings if finding.severity.rank >= Severity.ERROR.rank]
            assert any(action.startswith(finding.fix) for finding in worst), where(cell)


def test_a_wrong_clock_is_never_green() -> None:
    """It makes the two good answers degraded, and changes no other."""
    right = {(cell.moment, cell.token, cell.worker): cell.health.status for cell in ALL if cell.clock == RIGHT}
    for cell in ALL:
        if cell.clock == WRONG:
            before = right[cell.moment, cell.token, cell.worker]
            assert cell.health.status is (Status.DEGRADED if before.fine else before), where(cell)


def test_the_verdict_is_one_paragraph_that_fits_the_status() -> None:
    """A person reads the first word."""
    first = {
        Status.HEALTHY: ("Live: ",),
        Status.IDLE: ("Ready: ", "Resting: "),
        Status.DEGRADED: ("Degraded: ", "Ticks are flowing, but: "),
        Status.NEEDS_LOGIN: ("Login needed: ",),
        Status.DOWN: ("Down: ",),
    }
    for cell in ALL:
        verdict = cell.health.verdict
        assert verdict.startswith(first[cell.health.status]), where(cell)
        assert verdict.endswith("."), where(cell)
        assert ".." not in verdict, where(cell)
        assert not re.search(r"\d [AP]M", verdict), "times as the page's clock has them: 06:00 IST"
        assert "{" not in verdict, where(cell)
        assert len(verdict) <= 240, verdict


def test_no_consequence_stands_beside_its_root() -> None:
    """What a shown finding hides is not shown."""
    for cell in ALL:
        shown = {finding.code for finding in cell.health.findings}
        hidden = {code for finding in cell.health.findings for code in finding.hides}
        assert not shown & hidden, where(cell)


def test_the_moments_are_what_they_are_called() -> None:
    """Nobody edits an instant and forgets its name."""
    for name, now in MOMENTS.items():
        local = now.astimezone(IST)
        assert f"{local.hour}:{local.minute:02}" in name


def test_the_documents_are_what_the_code_says() -> None:
    """`make truth-table` was run after the last change."""
    assert (DOCS / "truth-table.md").read_text(encoding="utf-8") == render()
    status = (DOCS / "status.md").read_text(encoding="utf-8")
    assert findings() in status
    assert with_findings(status) == status
