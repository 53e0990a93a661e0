"""The token store's contract: the fake, SSM, and a `.env` file."""

from datetime import UTC, datetime, timedelta
from errno import ENOSPC
from pathlib import Path

import pytest

from kite_relay.adapters.aws import make_client
from kite_relay.adapters.clock import SystemClock
from kite_relay.adapters.env_file import EnvFile, FileTokenStore
from kite_relay.adapters.ssm import SsmTokenStore
from kite_relay.domain.errors import StoreUnavailableError
from kite_relay.domain.token import LOGGED_OUT
from kite_relay.ports import TokenStore
from tests.fakes import FakeClock, FakeTokenStore
from tests.fakes.canaries import access_token

Learned = list[str]


@pytest.fixture
def learned() -> Learned:
    """Collect what an adapter told the scrubber."""
    return []


@pytest.fixture(params=["fake", "ssm", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path, unique: str, learned: Learned) -> TokenStore:
    """Make an empty store of each kind."""
    if request.param == "fake":
        return FakeTokenStore(FakeClock(datetime.now(UTC)))
    if request.param == "file":
        return FileTokenStore(EnvFile(tmp_path / ".env", SystemClock(), learned.append))
    request.getfixturevalue("aws")
    return SsmTokenStore(make_client("ssm"), f"/{unique}/access_token", learned.append)


def test_an_empty_store_holds_nothing(store: TokenStore) -> None:
    """None was ever written: no token, no stamp."""
    assert store.read() is None
    assert store.peek() is None


def test_generations_only_grow(store: TokenStore) -> None:
    """Each write gets a greater generation, the same value again too."""
    generations = [store.write(value) for value in (access_token(1), access_token(2), access_token(2), LOGGED_OUT)]
    assert generations == sorted(set(generations))
    assert generations[0] >= 1


def test_the_newest_is_read(store: TokenStore) -> None:
    """What was written last comes back with its generation and its time, and peek agrees."""
    store.write(access_token(1))
    generation = store.write(access_token(2))
    token, stamp = store.read(), store.peek()
    assert token is not None
    assert stamp is not None
    assert (token.value, token.generation) == (access_token(2), generation)
    assert (stamp.generation, stamp.written_at) == (token.generation, token.written_at)
    assert token.written_at.utcoffset() == timedelta(0)
    assert abs(token.written_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert access_token(2) not in repr(token)


def test_a_logout_is_a_generation_without_a_token(store: TokenStore) -> None:
    """The worker must notice a logout, so it is a version like any other."""
    first = store.write(access_token(1))
    second = store.write(LOGGED_OUT)
    token = store.read()
    assert token is not None
    assert not token.usable
    assert second > first


@pytest.mark.parametrize("store", ["ssm", "file"], indirect=True)
def test_a_secret_is_learned_whenever_it_passes(store: TokenStore, learned: Learned) -> None:
    """The scrubber knows a token before anyone can log it."""
    store.write(access_token(1))
    assert learned == [access_token(1)]
    store.read()
    assert learned == [access_token(1)] * 2


@pytest.mark.parametrize("value", ["a#b c", 'it\'s "quoted"', "back\\slash", "$HOME `x`", "=", "émoji"])
def test_any_text_comes_back_as_it_was(store: TokenStore, value: str) -> None:
    """No value is changed by how a store writes it down."""
    store.write(value)
    token = store.read()
    assert token is not None
    assert token.value == value


def open_file(folder: Path) -> TokenStore:
    """Open the file as one process does."""
    return FileTokenStore(EnvFile(folder / ".env", SystemClock(), lambda _: None))


def test_two_openings_of_a_file_agree(tmp_path: Path) -> None:
    """The generation stands in the file's neighbour, not in a process."""
    one, two = open_file(tmp_path), open_file(tmp_path)
    assert [one.write("a-token"), two.write("b-token"), one.write("c-token")] == [1, 2, 3]
    token = two.read()
    assert token is not None
    assert (token.value, token.generation) == ("c-token", 3)


def test_a_token_put_by_hand_counts_on_a_disk_that_is_full(tmp_path: Path) -> None:
    """Its version is remembered until it can be written down, and is the same then and after a restart."""
    path, blocked = tmp_path / ".env", tmp_path / ".env.lock"
    store = FileTokenStore(EnvFile(path, SystemClock(), lambda _: None))
    store.write(access_token(1))
    blocked.unlink()
    blocked.mkdir()  # which stops root, too
    path.write_text("KITE_ACCESS_TOKEN=by-hand\n")
    token = store.read()
    assert token is not None
    assert (token.value, token.generation) == ("by-hand", 2)
    assert store.read() == token
    path.write_text("KITE_ACCESS_TOKEN=by-hand-again\n")
    later = store.read()
    assert later is not None
    assert (later.value, later.generation, later.written_at > token.written_at) == ("by-hand-again", 2, True)
    with pytest.raises(StoreUnavailableError):
        store.write("by-a-login")
    blocked.rmdir()
    assert store.read() == later
    assert FileTokenStore(EnvFile(path, SystemClock(), lambda _: None)).read() == later


def test_a_disk_that_is_full_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login says that it could not store the token; the old one stands, and nothing half-written beside it."""
    store = FileTokenStore(EnvFile(tmp_path / ".env", SystemClock(), lambda _: None))
    store.write("first-token")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    def full(_: int) -> None:
        raise OSError(ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("kite_relay.adapters.files.os.fsync", full)
        with pytest.raises(StoreUnavailableError, match="No space left on device"):
            store.write("second-token")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert store.write("third-token") == 2
