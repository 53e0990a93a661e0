"""docs/relay.md says what the relay does: every limit with its value, every close code, the answer to a question."""

import json
import re
from pathlib import Path

import pytest

from kite_relay.domain.instruments import Instrument
from worker.relay_client import MAX_TEXTS
from worker.relay_desk import MAX_MISTAKES
from worker.relay_find import MAX_QUERY, instruments_text
from worker.relay_settings import CloseCode, RelaySettings

TEXT = (Path(__file__).parents[3] / "docs" / "relay.md").read_text()
ROWS = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|", TEXT, re.MULTILINE))
IS = RelaySettings()
LIMITS = {
    "instruments per connection": f"{IS.instruments_per_client}",
    "connections per key": f"{IS.clients_per_key}",
    "connections in all": f"{IS.clients}",
    "size of a message": f"{IS.message_size:,} bytes",
    "messages": f"{IS.message_burst} at once, {IS.message_rate:g}/s; each 1000 bytes count as one more",
    "time to show a key": f"{IS.handshake_timeout:g} s",
    "connections that have shown no key, in all": f"{IS.handshakes}",
    "the same, from one address": f"{IS.handshakes_per_address}",
    "wrong keys per address": f"{IS.guesses} per minute",
}


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_stands_there_with_its_value(limit: str) -> None:
    """Whoever runs into one finds it."""
    assert ROWS[limit] == LIMITS[limit]


@pytest.mark.parametrize("code", CloseCode)
def test_a_close_code_says_whether_to_come_back(code: CloseCode) -> None:
    """The same as the code's own word."""
    [back] = re.findall(rf"^\| {code.value} \| [^|]+ \| (\w+)", TEXT, re.MULTILINE)
    assert (back == "yes") is code.retry


def test_the_other_numbers_in_the_text() -> None:
    """Those that stand in sentences."""
    words = " ".join(TEXT.split())
    assert MAX_MISTAKES == 20
    assert "for twenty mistakes" in words
    assert MAX_TEXTS == 1000
    assert "Order updates are kept whole, up to a thousand." in words
    assert f"The first {MAX_QUERY} characters count." in words
    assert f"takes no byte for {IS.send_timeout:g} seconds is cut" in words
    assert f"reads it every {IS.key_refresh:g} seconds" in words
    assert f"every {IS.look_again:g} seconds at most" in words


def test_the_answer_to_a_question_is_the_one_that_is_shown() -> None:
    """Key by key."""
    [shown] = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    instrument = Instrument(738561, "NSE", "RELIANCE", "RELIANCE INDUSTRIES")
    assert json.loads(shown) == json.loads(instruments_text("reli", [instrument]))
