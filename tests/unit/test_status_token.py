"""Is the token good? A table of instants that a trader could read: Kite's word first, then the clock."""

from datetime import UTC, datetime, timedelta

import pytest

from kite_relay.domain.records import TokenCheck, TokenRecord
from kite_relay.domain.status_token import Doubt, TokenFacts, TokenStatus, TokenView, judge_token, settled_at
from kite_relay.domain.token import IST, TokenStamp, last_flush_end

V, S, R, E = TokenStatus.VALID, TokenStatus.SUSPECT, TokenStatus.REJECTED, TokenStatus.EXPIRED
LOGIN = "2 08:47"


def at(text: str) -> datetime:
    """Read `2 08:47` as the second of December 2026 in India."""
    day, clock = text.split()
    return datetime.fromisoformat(f"2026-12-{int(day):02} {clock}").replace(tzinfo=IST)


def facts(minted: str, verified: str = "", rejected: str = "", generation: int = 7) -> TokenFacts:
    """Describe a token by when it was made, and what Kite said of it."""
    record = TokenRecord(7, "AB1234", at(minted), at(minted), at(minted), 32, "login")
    check = TokenCheck(generation, at(verified) if verified else None, at(rejected) if rejected else None)
    return TokenFacts(TokenStamp(7, at(minted)), record, check)


@pytest.mark.parametrize(
    ("now", "minted", "verified", "rejected", "status", "expires"),
    [
        # the forecast alone
        ("2 08:48", LOGIN, "", "", V, "3 06:00"),
        ("2 23:59", LOGIN, "", "", V, "3 06:00"),
        ("3 05:59:59", LOGIN, "", "", V, "3 06:00"),
        ("3 06:00", LOGIN, "", "", S, "3 06:00"),
        ("3 07:29:59", LOGIN, "", "", S, "3 06:00"),
        ("3 07:30", LOGIN, "", "", E, "3 06:00"),
        ("9 12:00", LOGIN, "", "", E, "3 06:00"),
        # made at night
        ("2 02:05", "2 02:00", "", "", V, "2 06:00"),
        ("2 06:00", "2 02:00", "", "", S, "2 06:00"),
        ("2 07:30", "2 02:00", "", "", E, "2 06:00"),
        # made while Zerodha clears tokens: doubtful until Kite accepts it after 07:30
        ("2 06:00", "2 06:00", "", "", S, "3 06:00"),
        ("2 06:31", "2 06:30", "2 06:30:30", "", S, "3 06:00"),
        ("2 09:20", "2 06:30", "2 06:30:30", "", S, "3 06:00"),
        ("2 09:20", "2 06:30", "2 07:29:59", "", S, "3 06:00"),
        ("2 09:20", "2 06:30", "2 07:30", "", V, "3 06:00"),
        ("2 09:20", "2 07:29:59", "", "", S, "3 06:00"),
        ("2 09:20", "2 07:30", "", "", V, "3 06:00"),
        ("3 06:00", "2 06:30", "2 07:31", "", S, "3 06:00"),
        ("3 07:30", "2 06:30", "2 07:31", "", E, "3 06:00"),
        # what Kite answers is the truth
        ("2 10:00", LOGIN, "", "2 09:59", R, "3 06:00"),
        ("2 10:00", LOGIN, "2 08:48", "2 09:59", R, "3 06:00"),
        ("2 10:00", LOGIN, "2 09:59", "2 09:59", R, "3 06:00"),
        ("2 10:00", LOGIN, "2 09:59:30", "2 09:59", V, "3 06:00"),
        ("9 12:00", LOGIN, "", "2 09:59", R, "3 06:00"),
        ("3 08:00", LOGIN, "3 06:30", "", E, "3 06:00"),
        ("3 08:00", LOGIN, "3 07:45", "", V, "4 06:00"),
        ("4 07:30", LOGIN, "3 07:45", "", E, "4 06:00"),
    ],
)
def test_the_status_of_a_token(now: str, minted: str, verified: str, rejected: str, status: str, expires: str) -> None:
    """Each row: the instant, when it was made, when Kite accepted and refused it, and the answer."""
    view = judge_token(facts(minted, verified, rejected), at(now))
    assert (view.status, view.expires_at) == (status, at(expires))
    assert view.likely_valid == (status is V)


def test_what_was_said_of_another_generation_does_not_count() -> None:
    """A rejection of yesterday's token says nothing of today's; nor does its acceptance."""
    assert judge_token(facts(LOGIN, rejected="2 09:00", generation=6), at("2 10:00")).status is V
    assert judge_token(facts("2 06:30", verified="2 08:00", generation=6), at("2 10:00")).status is S


def test_a_token_put_in_by_hand_is_suspect_until_kite_accepts_it() -> None:
    """Its writing says nothing of its making."""
    known = facts(LOGIN)
    by_hand = TokenFacts(TokenStamp(8, at("2 10:00")), known.record, known.check)
    view = judge_token(by_hand, at("2 10:05"))
    assert (view.status, view.doubt, view.minted_at, view.length) == (S, Doubt.UNKNOWN_AGE, None, 0)
    accepted = TokenFacts(by_hand.stamp, known.record, TokenCheck(8, at("2 10:01")))
    assert judge_token(accepted, at("2 10:05")).status is V
    assert judge_token(accepted, at("3 06:00")).status is S
    assert judge_token(accepted, at("3 07:30")).status is E


def test_there_is_no_token_before_the_first_login_and_after_a_logout() -> None:
    """A generation without a token is MISSING too."""
    never = judge_token(TokenFacts(), at("2 10:00"))
    assert (never.status, never.expires_at, never.generation) == (TokenStatus.MISSING, None, 0)
    gone = TokenFacts(TokenStamp(8, at("2 10:00")), TokenRecord(8, source="logout"), TokenCheck(7, at("2 09:00")))
    view = judge_token(gone, at("2 10:05"))
    assert (view.status, view.logged_out, view.present, view.generation) == (TokenStatus.MISSING, True, False, 8)


def test_a_silent_store_makes_nothing_valid() -> None:
    """What the board remembers serves to say what is wrong, never that all is well."""
    known = facts(LOGIN)
    blind = TokenFacts(None, known.record, known.check, store_answered=False)
    assert judge_token(blind, at("2 10:00")).doubt is Doubt.UNREADABLE
    assert judge_token(blind, at("3 07:30")).status is E
    assert judge_token(TokenFacts(store_answered=False), at("2 10:00")).status is S
    nothing = TokenFacts(None, known.record, known.check, store_answered=False, board_answered=False)
    assert judge_token(nothing, at("2 10:00")) == TokenView(S, doubt=Doubt.UNREADABLE)


@pytest.mark.parametrize(
    ("minted", "stored", "since", "generation"),
    [(LOGIN, "2 08:48", "2 08:48", 7), (LOGIN, "", LOGIN, 7), ("", "", "", 0)],
    ids=["stored", "made", "no time noted"],
)
def test_while_the_store_is_silent_the_boards_record_tells_since_when(
    minted: str, stored: str, since: str, generation: int
) -> None:
    """When it was stored, else when it was made; without either it says nothing."""
    record = TokenRecord(
        7, "AB1234", minted_at=at(minted) if minted else None, stored_at=at(stored) if stored else None
    )
    view = judge_token(TokenFacts(None, record, store_answered=False), at("2 10:00"))
    assert (view.since, view.generation, view.doubt) == (at(since) if since else None, generation, Doubt.UNREADABLE)


def test_a_silent_board_makes_nothing_valid() -> None:
    """Without it nobody knows of a logout or a rejection; a token too old is dead all the same."""
    blind = TokenFacts(TokenStamp(7, at(LOGIN)), board_answered=False)
    view = judge_token(blind, at("2 10:00"))
    assert (view.status, view.doubt) == (S, Doubt.UNREADABLE)
    assert judge_token(blind, at("3 07:30")).status is E


def test_whoever_outlives_the_next_half_past_seven_is_settled() -> None:
    """The boundary belongs to the later day."""
    assert settled_at(at("2 07:29:59")) == at("2 07:30")
    assert settled_at(at("2 07:30")) == at("3 07:30")
    assert settled_at(at("2 07:30") - timedelta(days=1)) == at("2 07:30")


@pytest.mark.parametrize(
    ("now", "ended"),
    [("2 07:29:59", "1 07:30"), ("2 07:30", "2 07:30"), ("3 07:29:59", "2 07:30"), ("3 00:10", "2 07:30")],
)
def test_the_last_flush_ended_at_half_past_seven_in_india(now: str, ended: str) -> None:
    """At that instant it has; wherever the clock stands that is asked."""
    assert last_flush_end(at(now)) == last_flush_end(at(now).astimezone(UTC)) == at(ended)
