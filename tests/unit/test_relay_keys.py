"""Keys and tickets: made, kept as hashes, checked."""

import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kite_relay.domain.errors import ConfigurationError, MalformedError
from kite_relay.domain.relay_keys import (
    KEY_ENTROPY,
    MOST_BYTES,
    NONCE_SIZE,
    KeyRing,
    RelayKey,
    Scope,
    TicketError,
    check_ticket,
    hash_key,
    issue_ticket,
    make_key,
)

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
NONCE = bytes(range(NONCE_SIZE))


def entry(name: str = "bot", key: str = "kr_x", *scopes: Scope) -> RelayKey:
    """Make an entry of the ring."""
    return RelayKey(name, hash_key(key), frozenset(scopes or (Scope.TICKS,)), NOW)


def test_a_key_is_32_digits_of_its_entropy() -> None:
    """Letters and digits only: it goes through every shell and URL unchanged."""
    keys = {make_key(bytes([number]) * KEY_ENTROPY) for number in range(256)}
    assert len(keys) == 256
    assert all(key.startswith("kr_") and key[3:].isalnum() and len(key) == 36 for key in keys)


def test_a_key_takes_all_its_entropy() -> None:
    """A short key would be a guessable one."""
    with pytest.raises(ValueError, match="24 random bytes"):
        make_key(bytes(16))


def test_the_ring_finds_a_key_by_itself_only() -> None:
    """By the key, not by its hash or its name; odd characters are no error."""
    ring = KeyRing().add(entry()).add(entry("news", "kr_y"))
    found = ring.find("kr_y")
    assert found is not None
    assert found.name == "news"
    assert [ring.find(text) for text in ("", "news", hash_key("kr_y"), "\ud800", "kr_Y")] == [None] * 5


@pytest.mark.promise(20)
@pytest.mark.parametrize("key", ["kr_0", "kr_4", "kr_none", ""])
def test_looking_a_key_up_takes_the_same_steps_whichever_it_is(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every entry is compared, in constant time: how long it took tells a guesser nothing."""
    ring = KeyRing([entry(f"bot{number}", f"kr_{number}") for number in range(5)])
    compared: list[tuple[str, str]] = []
    honest = hmac.compare_digest

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return honest(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    found = ring.find(key)
    assert (found.sha256 if found else None) == (hash_key(key) if key in ("kr_0", "kr_4") else None)
    assert compared == [(known.sha256, hash_key(key)) for known in ring.keys]


def test_the_ring_survives_its_parameter() -> None:
    """What is written is read again; the key is not in it."""
    ring = KeyRing().add(entry("bot", "kr_secret", Scope.TICKS, Scope.ORDERS))
    text = ring.to_json()
    assert "kr_secret" not in text
    assert hash_key("kr_secret") not in repr(ring.keys)
    assert KeyRing.parse(text).keys == ring.keys
    assert KeyRing.parse(None).keys == ()


@pytest.mark.parametrize("name", ["", "Bot", "a b", "x" * 33, "dashboard", "-a"])
def test_a_name_that_cannot_be_used_is_refused(name: str) -> None:
    """Names stand in status, metrics and logs."""
    with pytest.raises(ConfigurationError, match="a key's name"):
        KeyRing().add(entry(name))


def test_names_are_unique_and_scopes_are_needed() -> None:
    """A second key of the same name could not be revoked alone."""
    with pytest.raises(ConfigurationError, match="exists"):
        KeyRing().add(entry()).add(entry())
    with pytest.raises(ConfigurationError, match=r"^a key needs a scope: ticks or orders$"):
        KeyRing().add(RelayKey("bot", hash_key("x"), frozenset(), NOW))


def test_more_keys_than_a_parameter_holds_are_refused() -> None:
    """Before they are sent, with what to do."""
    ring = KeyRing([entry(f"bot-{number}", f"kr_{number}") for number in range(100)])
    assert len(ring.to_json()) > MOST_BYTES
    with pytest.raises(ConfigurationError, match=r"^one key more than 100 does not fit: revoke one"):
        ring.add(entry())


def test_removing_takes_the_named_one() -> None:
    """Revoking another is no silent success."""
    ring = KeyRing().add(entry()).add(entry("news"))
    assert [key.name for key in ring.remove("bot").keys] == ["news"]
    with pytest.raises(ConfigurationError, match="no key named 'x'"):
        ring.remove("x")


GOOD = entry().to_item()


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("[", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ([], "no list 'keys'"),
        ({"keys": {}}, "no list 'keys'"),
        ({"keys": [1]}, "key 0 is no object"),
        ({"keys": [{**GOOD, "name": 1}]}, "name of key 0"),
        ({"keys": [{**GOOD, "name": "A B"}]}, "name of key 0"),
        ({"keys": [{**GOOD, "sha256": "abc"}]}, "no hash"),
        ({"keys": [{**GOOD, "sha256": None}]}, "no hash"),
        ({"keys": [{**GOOD, "scopes": []}]}, "no list of scopes"),
        ({"keys": [{**GOOD, "scopes": "ticks"}]}, "no list of scopes"),
        ({"keys": [{**GOOD, "scopes": ["all"]}]}, "'all' is not a valid Scope"),
        ({"keys": [{**GOOD, "scopes": [{}]}]}, "not a valid Scope"),
        ({"keys": [{**GOOD, "created_at": None}]}, "'bot'"),
        ({"keys": [{**GOOD, "created_at": "2026-01-01"}]}, "offset"),
    ],
)
def test_a_broken_parameter_is_rejected_with_its_place(document: Any, says: str) -> None:
    """The operator sees what to mend; the hash is not shown."""
    with pytest.raises(MalformedError, match=says) as caught:
        KeyRing.parse(document if isinstance(document, str) else json.dumps(document))
    assert GOOD["sha256"] not in str(caught.value)


def test_a_ticket_lives_a_minute() -> None:
    """Good until the sixtieth second, and it gives its nonce back."""
    ticket = issue_ticket("key", NOW, NONCE)
    assert check_ticket("key", ticket, NOW + timedelta(seconds=59)) == NONCE
    with pytest.raises(TicketError, match=r"^the ticket has expired$"):
        check_ticket("key", ticket, NOW + timedelta(seconds=60))


@pytest.mark.parametrize(("key", "nonce"), [("", NONCE), ("key", NONCE[:-1]), ("key", NONCE + b"x")])
def test_no_ticket_is_issued_without_a_key_and_all_its_chance(key: str, nonce: bytes) -> None:
    """It would let anybody in, or be guessed."""
    with pytest.raises(ValueError, match=f"a ticket takes a key and {NONCE_SIZE} random bytes"):
        issue_ticket(key, NOW, nonce)


@pytest.mark.parametrize("key", ["other", ""])
def test_a_ticket_is_signed(key: str) -> None:
    """By this worker's key; without a key nothing is signed."""
    with pytest.raises(TicketError, match=r"^the ticket is not signed by this worker$"):
        check_ticket(key, issue_ticket("key", NOW, NONCE), NOW)


def test_no_bit_of_a_ticket_can_be_changed() -> None:
    """Neither its time nor its nonce."""
    ticket = issue_ticket("key", NOW, NONCE)
    for place in range(3, len(ticket)):
        changed = ticket[:place] + ("A" if ticket[place] != "A" else "B") + ticket[place + 1 :]
        with pytest.raises(TicketError):
            check_ticket("key", changed, NOW)


@pytest.mark.parametrize("ticket", ["", "kt_", "kt_?", "kt_é", "kr_" + "A" * 76, "kt_" + "A" * 75])
def test_what_is_no_ticket_is_malformed(ticket: str) -> None:
    """Said without repeating it."""
    with pytest.raises(TicketError, match=r"^the ticket is malformed$"):
        check_ticket("key", ticket, NOW)
