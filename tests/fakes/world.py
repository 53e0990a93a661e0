"""A small world for the status: a store, a board, parameters and a clock that stand still until they are told."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

from kite_relay import __version__
from kite_relay.adapters.calendar import CalendarSource
from kite_relay.domain.errors import StoreUnavailableError
from kite_relay.domain.records import Heartbeat, Record, TokenCheck, TokenRecord, timeline_key
from kite_relay.domain.token import IST, AccessToken, TokenStamp
from kite_relay.ports import Item, Parameter
from kite_relay.usecases.report_status import Sources
from tests.fakes import FakeClock


def ist(text: str) -> datetime:
    """Read `2026-11-27 10:00` as Indian time."""
    return datetime.fromisoformat(text).replace(tzinfo=IST)


class Broken:
    """Mixed into a port: raises while `broken` is set, and counts the calls."""

    broken = False
    calls = 0

    def touch(self) -> None:
        """Count the call; raise if broken."""
        self.calls += 1
        if self.broken:
            raise StoreUnavailableError("the store did not answer")


class PlainStore(Broken):
    """A token store that tells a stamp and holds no token: status must never read one."""

    name = "/kite-relay/access_token"

    def __init__(self) -> None:
        self.stamp: TokenStamp | None = None

    def peek(self) -> TokenStamp | None:
        """Tell the stamp."""
        self.touch()
        return self.stamp

    def read(self) -> AccessToken | None:
        """Fail: there is no right to decrypt."""
        raise AssertionError("status tried to decrypt the token")

    def write(self, value: str) -> int:
        """Fail: status writes nothing."""
        raise AssertionError("status tried to write a token")


class PlainParameters(Broken):
    """Parameters of which the secret ones can only be asked whether they exist."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.secrets = {"api_key"}

    def read(self, name: str) -> Parameter | None:
        """Read a plain one."""
        assert name in {"relay_keys", "market_overrides"}, "status tried to decrypt a parameter"
        self.touch()
        if name not in self.values:
            return None
        value = self.values[name]
        return Parameter(value, crc32(value.encode()))

    def exists(self, name: str) -> bool:
        """Tell whether it is there."""
        self.touch()
        return name in self.secrets or name in self.values

    def write(self, name: str, value: str, *, secret: bool) -> int:
        """Fail: status writes nothing."""
        raise AssertionError("status tried to write a parameter")


class PlainBoard(Broken):
    """A board whose items the test sets; status may only read it."""

    def __init__(self) -> None:
        self.items: dict[str, Any] = {}

    def get(self, keys: Sequence[str]) -> Mapping[str, Item]:
        """Read several items."""
        self.touch()
        assert len(set(keys)) == len(keys), "DynamoDB refuses a batch that names a key twice"
        return {key: self.items[key] for key in keys if key in self.items}

    def put(self, key: str, item: Item, *, expires_at: datetime | None = None) -> None:
        """Fail: status writes nothing."""
        raise AssertionError("status tried to write to the board")

    def put_new(self, key: str, item: Item, *, expires_at: datetime | None = None) -> bool:
        """Fail: status writes nothing."""
        raise AssertionError("status tried to write to the board")

    def append(self, key: str, entry: Item, *, expires_at: datetime | None = None) -> None:
        """Fail: status writes nothing."""
        raise AssertionError("status tried to write to the board")

    def delete(self, key: str) -> None:
        """Fail: status writes nothing."""
        raise AssertionError("status tried to write to the board")


class World:
    """Everything that the status reads. `live()` makes it a good trading morning."""

    def __init__(self, now: str = "2026-11-27 10:00") -> None:
        self.clock = FakeClock(ist(now))
        self.store = PlainStore()
        self.parameters = PlainParameters()
        self.board = PlainBoard()
        calendar = CalendarSource(self.parameters, timedelta(seconds=5))
        self.sources = Sources(self.store, self.parameters, self.board, self.clock, calendar)

    def live(self) -> None:
        """Let the token be good, the worker alive, and ticks flow."""
        now = self.clock.now()
        minted_at = now.replace(hour=8, minute=47)
        self.store.stamp = TokenStamp(7, minted_at)
        self.tell(TokenRecord(7, "AB1234", minted_at, minted_at, minted_at, 32, "login"))
        self.tell(TokenCheck(7, verified_at=minted_at))
        self.beat()
        day = timeline_key(now.date())
        self.board.items[day] = {"entries": [{"at": minted_at.isoformat(), "what": "stored", "generation": 7}]}

    def tell(self, record: Record) -> None:
        """Put a record on the board."""
        self.board.items[type(record).KEY] = record.to_item()  # type: ignore[attr-defined]  # every record has its key

    def beat(self, **changes: Any) -> None:
        """Let the worker tell that all is well, but for the changes."""
        now = self.clock.now()
        beat = Heartbeat(
            heartbeat_at=now - timedelta(seconds=2),
            started_at=now - timedelta(days=3),
            version=__version__,
            generation=7,
            connected=True,
            connected_at=now - timedelta(hours=1),
            last_frame_at=now - timedelta(seconds=2),
            last_tick_at=now - timedelta(seconds=3),
            subscriptions=3,
            clients=[{"name": "ai_analysis", "connections": 1, "dropped": 0, "conflated": 0}],
            clock_skew_seconds=0.1,
        )
        self.tell(replace(beat, **changes))
