"""The login's state: what makes one count, and how the outcome travels."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kite_relay.domain.login import (
    CLOCK_SKEW,
    ENTROPY_BYTES,
    LONGEST_QUERY,
    STATE_LIFE,
    WORKING_LIFE,
    Answer,
    Attempt,
    Outcome,
    Refusal,
    binding_hash,
    check,
    is_allowed,
    is_attempt_id,
    issue,
    login_url,
    open_outcome,
    outcome_of,
    read_answer,
    seal_outcome,
    state_key,
)

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
KEY = state_key("the-api-secret")
ENTROPY = bytes(range(ENTROPY_BYTES))


@pytest.fixture
def attempt() -> Attempt:
    """Begin a login."""
    return issue(KEY, NOW, ENTROPY)


def test_a_login_needs_all_its_entropy() -> None:
    """A short state would be a guessable one; more than is asked for does no harm."""
    with pytest.raises(ValueError, match=f"{ENTROPY_BYTES} random bytes"):
        issue(KEY, NOW, ENTROPY[:-1])
    assert issue(KEY, NOW, ENTROPY + b"more") == issue(KEY, NOW, ENTROPY)


@given(st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES))
def test_every_state_that_is_issued_counts(entropy: bytes) -> None:
    """Whatever letters chance gives it."""
    attempt = issue(KEY, NOW, entropy)
    assert check(KEY, NOW, attempt.state, {attempt.attempt_id: attempt.binding}) == attempt.attempt_id


def test_the_state_does_not_carry_the_binding(attempt: Attempt) -> None:
    """Who sees the URL lacks the cookie; neither is in the other, and neither is printed."""
    assert is_attempt_id(attempt.attempt_id)
    assert len(attempt.binding) == 43, "32 bytes"
    assert attempt.binding not in attempt.state
    assert attempt.state not in repr(attempt)
    assert attempt.binding not in repr(attempt)


@pytest.mark.parametrize(
    ("age", "counts"),
    [
        (-CLOCK_SKEW - timedelta(seconds=1), False),
        (-CLOCK_SKEW, True),
        (timedelta(0), True),
        (STATE_LIFE, True),
        (STATE_LIFE + timedelta(seconds=1), False),
    ],
)
def test_a_state_lives_ten_minutes(attempt: Attempt, age: timedelta, counts: bool) -> None:
    """And one minute before its birth: another machine's clock may be ahead."""
    found = check(KEY, NOW + age, attempt.state, {attempt.attempt_id: attempt.binding})
    assert found == (attempt.attempt_id if counts else Refusal.EXPIRED)


def test_each_state_that_does_not_count_is_named(attempt: Attempt) -> None:
    """For the log; the cookie must be this attempt's own."""
    other = issue(KEY, NOW, ENTROPY[::-1])
    cookies = {attempt.attempt_id: attempt.binding}
    assert check(KEY, NOW, "", cookies) is Refusal.MISSING
    assert check(KEY, NOW, attempt.state[:-1], cookies) is Refusal.MALFORMED
    assert check(KEY, NOW, attempt.state, {other.attempt_id: other.binding}) is Refusal.OTHER_BROWSER
    assert check(KEY, NOW, attempt.state, {attempt.attempt_id: other.binding}) is Refusal.FORGED
    assert check(state_key("another secret"), NOW, attempt.state, cookies) is Refusal.FORGED


@pytest.mark.parametrize(
    ("claimed", "outcome", "seen"),
    [
        (WORKING_LIFE, Outcome.WORKING, Outcome.WORKING),
        (WORKING_LIFE + timedelta(seconds=1), Outcome.WORKING, Outcome.STORE_FAILED),
        (WORKING_LIFE + timedelta(seconds=1), Outcome.ANNOUNCED, Outcome.ANNOUNCED),
        (None, Outcome.WORKING, Outcome.WORKING),
    ],
)
def test_what_was_cut_off_is_not_called_stored(claimed: timedelta | None, outcome: Outcome, seen: Outcome) -> None:
    """Nothing works for longer than a function may run; what has ended stays as it ended."""
    item = {"outcome": outcome.value} | ({"claimed_at": (NOW - claimed).isoformat()} if claimed else {})
    assert outcome_of(item, NOW) is seen


@pytest.mark.parametrize("outcome", Outcome)
def test_an_outcome_can_travel_in_a_url_and_cannot_be_made_up(outcome: Outcome) -> None:
    """Only our own signature counts, for this very attempt and this very outcome; odd letters are no error."""
    sealed = seal_outcome(KEY, "a" * 22, outcome)
    assert quote(sealed) == sealed
    assert open_outcome(KEY, "a" * 22, sealed) is outcome
    assert open_outcome(KEY, "b" * 22, sealed) is None
    assert open_outcome(state_key("another secret"), "a" * 22, sealed) is None
    other = Outcome.REFUSED if outcome is not Outcome.REFUSED else Outcome.ANNOUNCED
    assert open_outcome(KEY, "a" * 22, sealed.replace(outcome, other)) is None
    for text in ("", outcome, sealed + "A", "announced.é"):
        assert open_outcome(KEY, "a" * 22, text) is None


def test_the_board_keeps_a_binding_as_its_hash() -> None:
    """Who reads the board learns no cookie."""
    assert binding_hash("a binding") == sha256(b"a binding").hexdigest()


def test_only_two_outcomes_may_be_called_a_success() -> None:
    """The token stands in the store, announced or not."""
    assert {outcome for outcome in Outcome if outcome.stored} == {Outcome.ANNOUNCED, Outcome.UNANNOUNCED}


def test_the_address_of_the_login_page_is_kites() -> None:
    """Our state is one parameter within one parameter: it comes back whatever letters it has."""
    expected = "https://kite.example/connect/login?v=3&api_key=key&redirect_params=state%3Da%252Bb"
    assert login_url("https://kite.example", "key", "a+b") == expected


def test_a_parameter_that_is_there_twice_counts_as_absent() -> None:
    """Nobody honest sends it; and a query too long to be Kite's is not read."""
    answer = read_answer("action=login&status=success&request_token=abcd1234&request_token=efgh5678&state=s")
    assert answer == Answer("login", "success", "", "s")
    query = "action=login&status=success&request_token=abcd1234&state=s&rest="
    padded = query.ljust(LONGEST_QUERY, "x")
    assert read_answer(padded) == Answer("login", "success", "abcd1234", "s")
    assert read_answer(padded + "x") == Answer("", "", "", "")


@pytest.mark.parametrize(
    ("action", "status", "cancelled"),
    [("login", "success", False), ("login", "cancelled", True), ("other", "success", True), ("", "", True)],
)
def test_anything_but_a_login_that_succeeded_is_a_cancelled_one(action: str, status: str, cancelled: bool) -> None:
    """Kite says both words."""
    assert Answer(action, status, "abcd1234", "s").cancelled is cancelled


@pytest.mark.parametrize(
    ("token", "usable"),
    [("a" * 8, True), ("A-_9" * 32, True), ("a" * 7, False), ("a" * 129, False), ("abcd 123", False), ("é" * 8, False)],
)
def test_a_request_token_must_look_like_one(token: str, usable: bool) -> None:
    """It goes into a request to Kite: nothing else may."""
    assert Answer("login", "success", token, "s").usable is usable


def test_who_may_log_in_is_compared_byte_for_byte() -> None:
    """No other case, no part, no look-alike letter, and nobody where nobody is listed."""
    assert is_allowed("AB1234", ["XY9876", "AB1234"])
    for user_id in ("ab1234", "AB123", "AB12345", "\u0410B1234", "", "AB1234 "):
        assert not is_allowed(user_id, ["AB1234", user_id.lower()]), user_id
    assert not is_allowed("AB1234", [])
