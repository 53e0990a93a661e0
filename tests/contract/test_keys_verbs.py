"""`kite-relay keys create | list | revoke`, through the command line, on both real stores: SSM and a file."""

import contextlib
import io
import json
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kite_relay.adapters.aws import make_client
from kite_relay.domain.errors import ConfigurationError
from kite_relay.domain.relay_keys import MOST_BYTES, PARAMETER, KeyRing, RelayKey, Scope, hash_key
from kite_relay.ports import Parameters
from tests.fakes.dynamodb import make_board
from tools.cli import keys as verbs
from tools.cli import settings
from tools.cli.exits import Exits
from tools.cli.main import main

Keys = Callable[..., tuple[int, str, str]]
KEY_LENGTH = 36


@pytest.fixture(params=["ssm", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parameters:
    """Point the command line at a store; gives the store as the worker opens it."""
    monkeypatch.chdir(tmp_path)
    if request.param == "ssm":
        request.getfixturevalue("aws")
        unique = request.getfixturevalue("unique")
        make_board(make_client("dynamodb"), unique)
        monkeypatch.setenv("BOARD_TABLE", unique)
        monkeypatch.setenv("PARAMETER_PREFIX", f"/{unique}")
    else:
        monkeypatch.setenv("ENV_FILE", str(tmp_path / "mine.env"))
        (tmp_path / "mine.env").write_text("KITE_API_KEY=key\nKITE_API_SECRET=secret\n")
    return settings.stored().parameters()


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Keys:
    """Run the verb; gives its exit code and what it wrote."""

    def run(*arguments: str, answer: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["kite-relay", "keys", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(answer.encode())))
        with pytest.raises(SystemExit) as end:
            main()
        written = capsys.readouterr()
        return int(end.value.code or 0), written.out, written.err

    return run


def ring(store: Parameters) -> KeyRing:
    """Read the keys as the relay does."""
    found = store.read(PARAMETER)
    return KeyRing.parse(found.value if found else None)


def test_a_key_is_shown_once_and_opens_the_relay(store: Parameters, keys: Keys) -> None:
    """The key alone stands on the standard output, for `$(...)`; the store has its hash, the list its name."""
    code, out, err = keys("create", "ai_analysis")
    assert (code, len(out.strip())) == (0, KEY_LENGTH)
    assert "only time" in err
    found = ring(store).find(out.strip())
    assert found is not None
    assert (found.name, set(found.scopes)) == ("ai_analysis", {Scope.TICKS})
    stored = store.read(PARAMETER)
    assert stored is not None
    assert out.strip() not in stored.value
    code, listed, _ = keys("list")
    assert (code, listed.split()[:2], listed[-5:]) == (0, ["ai_analysis", "ticks"], " IST\n")
    assert found.sha256 not in listed


def test_as_json(store: Parameters, keys: Keys) -> None:
    """For programs: the key when it is made, names and scopes afterwards."""
    assert json.loads(keys("list", "--json")[1]) == []
    made = json.loads(keys("create", "desk", "--orders", "--json")[1])
    assert (made["name"], made["scopes"], len(made["key"])) == ("desk", ["orders", "ticks"], KEY_LENGTH)
    [row] = json.loads(keys("list", "--json")[1])
    assert (row.keys(), row["scopes"]) == ({"name", "scopes", "created_at"}, ["orders", "ticks"])
    found = ring(store).find(made["key"])
    assert found is not None
    assert found.scopes == {Scope.TICKS, Scope.ORDERS}


def test_the_empty_list_says_how_to_begin(store: Parameters, keys: Keys) -> None:
    """No error, and nothing is written."""
    code, out, _ = keys("list")
    assert (code, "kite-relay keys create NAME" in out) == (0, True)
    assert store.read(PARAMETER) is None


@pytest.mark.parametrize("name", ["bot", "Bot", "dashboard", "a b"])
def test_a_name_that_is_taken_or_none_changes_nothing(store: Parameters, keys: Keys, name: str) -> None:
    """The first key goes on working, and the exit code says configuration."""
    first = keys("create", "bot")[1].strip()
    code, out, err = keys("create", name)
    assert (code, out) == (Exits.CONFIGURATION, "")
    assert "kite-relay: a key" in err
    assert [key.name for key in ring(store).keys] == ["bot"]
    assert ring(store).find(first)


def test_a_store_that_is_full_says_so(store: Parameters, keys: Keys) -> None:
    """A parameter holds 4096 bytes: the key that does not fit is refused, and those that do go on working."""
    full = KeyRing()
    with contextlib.suppress(ConfigurationError):
        for number in range(100):
            full = full.add(RelayKey(f"bot{number}", hash_key(f"{number}"), frozenset(Scope), datetime.now(UTC)))
    assert 15 <= len(full.keys) < 100
    store.write(PARAMETER, full.to_json(), secret=False)
    assert len(full.to_json()) <= MOST_BYTES
    code, _, err = keys("create", "one_more", "--orders")
    assert (code, "revoke" in err) == (Exits.CONFIGURATION, True)
    assert ring(store).keys == full.keys


def test_revoking_asks_first(store: Parameters, keys: Keys) -> None:
    """No leaves it; yes, or `--yes` in a script, takes this one and no other."""
    bot, news = keys("create", "bot")[1].strip(), keys("create", "news")[1].strip()
    for answer in ("n\n", ""):
        code, _, err = keys("revoke", "bot", answer=answer)
        assert (code, err) == (Exits.STOPPED, "Stopped.\n")
    assert ring(store).find(bot)
    assert keys("revoke", "bot", answer="y\n")[0] == 0
    assert ring(store).find(bot) is None
    assert ring(store).find(news)
    code, out, _ = keys("revoke", "news", "--yes")
    assert (code, out) == (0, "'news' is revoked.\n")
    assert ring(store).keys == ()


def test_revoking_an_unknown_name_asks_nothing(store: Parameters, keys: Keys) -> None:
    """It is told at once, with the exit code of the configuration."""
    code, out, err = keys("revoke", "nobody")
    assert (code, out) == (Exits.CONFIGURATION, "")
    assert "no key named 'nobody'" in err


def test_a_revoked_name_may_be_used_again(store: Parameters, keys: Keys) -> None:
    """With another key."""
    first = keys("create", "bot")[1].strip()
    keys("revoke", "bot", "--yes")
    second = keys("create", "bot")[1].strip()
    assert first != second
    assert ring(store).find(first) is None


def test_a_broken_parameter_is_told_and_not_overwritten(store: Parameters, keys: Keys) -> None:
    """Every verb says what is wrong with it; nobody's keys are lost."""
    store.write(PARAMETER, '{"keys": 1}', secret=False)
    for arguments in (["list"], ["create", "bot"], ["revoke", "bot", "--yes"]):
        code, _, err = keys(*arguments)
        assert (code, "relay_keys has no list" in err) == (Exits.DEGRADED, True)
    stored = store.read(PARAMETER)
    assert stored is not None
    assert stored.value == '{"keys": 1}'


@pytest.mark.parametrize(
    ("second", "left"),
    [(lambda: verbs.create("news"), ["old", "bot", "news"]), (lambda: verbs.revoke("old", yes=True), ["bot"])],
)
def test_two_at_once_lose_nothing(
    store: Parameters, monkeypatch: pytest.MonkeyPatch, second: Callable[[], None], left: list[str]
) -> None:
    """The second comes when the first has read and not yet written: it waits, and both are stored."""
    verbs.create("old")
    turned_away = threading.Event()
    other = threading.Thread(target=second)
    board = type(settings.stored().board())
    read, put_new = type(store).read, board.put_new

    def read_and_be_overtaken(self: Any, name: str) -> Any:
        found = read(self, name)
        if threading.current_thread() is not other and other.ident is None:
            other.start()
            while other.is_alive() and not turned_away.wait(0.01):
                pass
        return found

    def tell_when_turned_away(self: Any, *args: Any, **options: Any) -> bool:
        made = put_new(self, *args, **options)
        if not made:
            turned_away.set()
        return made

    monkeypatch.setattr(type(store), "read", read_and_be_overtaken)
    monkeypatch.setattr(board, "put_new", tell_when_turned_away)
    verbs.create("bot")
    other.join()
    assert [key.name for key in ring(store).keys] == left
