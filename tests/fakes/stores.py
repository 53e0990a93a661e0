"""Fakes of the token store, the parameters and the board."""

import copy
import json
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import ceil
from typing import Any

from kite_relay.domain.token import AccessToken, TokenStamp
from kite_relay.ports import Item, Parameter
from tests.fakes.canaries import watch
from tests.fakes.trouble import FakeClock, Fallible


class FakeTokenStore(Fallible):
    """Keeps every version; `versions` shows them."""

    def __init__(self, clock: FakeClock | None = None, name: str = "/kite-relay/access_token") -> None:
        super().__init__()
        self._clock = clock or FakeClock()
        self.name = name
        self.versions: list[AccessToken] = []

    def read(self) -> AccessToken | None:
        """Read the newest."""
        self._called("read")
        return self.versions[-1] if self.versions else None

    def peek(self) -> TokenStamp | None:
        """Read the newest one's stamp."""
        self._called("peek")
        return TokenStamp(self.versions[-1].generation, self.versions[-1].written_at) if self.versions else None

    def write(self, value: str) -> int:
        """Add a version."""
        self._called("write")
        self.versions.append(AccessToken(value, len(self.versions) + 1, self._clock.now()))
        return len(self.versions)


class FakeParameters(Fallible):
    """Starts with what a test gives, each at version 1."""

    def __init__(self, **values: str) -> None:
        super().__init__()
        self.values = {name: Parameter(value, 1) for name, value in values.items()}

    def read(self, name: str) -> Parameter | None:
        """Read one."""
        self._called("read")
        return self.values.get(name)

    def exists(self, name: str) -> bool:
        """Tell whether it is there."""
        self._called("exists")
        return name in self.values

    def write(self, name: str, value: str, *, secret: bool) -> int:
        """Write one."""
        self._called("write")
        old = self.values.get(name)
        self.values[name] = Parameter(value, old.version + 1 if old else 1)
        return self.values[name].version


class FakeStatusBoard(Fallible):
    """Keeps items as the real ones do: through JSON, and outliving nothing past its time."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        super().__init__()
        self._clock = clock or FakeClock()
        self._lock = threading.Lock()
        self.items: dict[str, tuple[dict[str, Any], int | None]] = {}

    def get(self, keys: Sequence[str]) -> Mapping[str, Item]:
        """Read several."""
        self._called("get")
        return {key: copy.deepcopy(self.items[key][0]) for key in keys if self._stands(key)}

    def put(self, key: str, item: Item, *, expires_at: datetime | None = None) -> None:
        """Write one."""
        self._called("put")
        self._keep(key, item, _whole(expires_at))

    def put_new(self, key: str, item: Item, *, expires_at: datetime | None = None) -> bool:
        """Write one if none stands there."""
        self._called("put_new")
        with self._lock:
            if self._stands(key):
                return False
            self._keep(key, item, _whole(expires_at))
            return True

    def append(self, key: str, entry: Item, *, expires_at: datetime | None = None) -> None:
        """Add to an item's entries."""
        self._called("append")
        with self._lock:
            item, expiry = self.items[key] if self._stands(key) else ({}, None)
            entries = [*item.get("entries", ()), dict(entry)]
            self._keep(key, {**item, "entries": entries}, _whole(expires_at) if expires_at else expiry)

    def delete(self, key: str) -> None:
        """Remove one."""
        self._called("delete")
        self.items.pop(key, None)

    def _stands(self, key: str) -> bool:
        if key not in self.items:
            return False
        expiry = self.items[key][1]
        return expiry is None or expiry > self._clock.now().timestamp()

    def _keep(self, key: str, item: Item, expiry: int | None) -> None:
        text = json.dumps(dict(item), allow_nan=False)
        watch.look(f"the board's {key.partition('#')[0]}", text)
        self.items[key] = (json.loads(text), expiry)


def _whole(expires_at: datetime | None) -> int | None:
    return None if expires_at is None else ceil(expires_at.timestamp())
