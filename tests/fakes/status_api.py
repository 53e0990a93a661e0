"""The status function over a `World`, asked as API Gateway would ask it."""

import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from functions.status.app import answer
from functions.status.routes import build
from functions.status.services import Services
from kite_relay.domain.records import session_key
from kite_relay.domain.relay_keys import KeyRing, RelayKey, Scope, hash_key
from tests.fakes.canaries import RELAY_KEY, SESSION, watch
from tests.fakes.world import World, ist

DOMAIN = "kite.example"
ORIGIN = f"https://{DOMAIN}"
RELAY_URL = "wss://relay.example/"
OWNER_COOKIE = f"__Host-kr-owner={SESSION}"
KEY = RELAY_KEY


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: str
    raw: Mapping[str, Any]

    @property
    def json(self) -> Any:
        """Read the body."""
        return json.loads(self.body)


def http_event(
    method: str,
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    cookies: Sequence[str] = (),
) -> dict[str, Any]:
    """Make the event that API Gateway (HTTP API, payload 2.0) would send."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "&".join(f"{name}={value}" for name, value in (query or {}).items()),
        "cookies": list(cookies),
        "headers": {"host": DOMAIN, **(headers or {})},
        "queryStringParameters": dict(query) if query else None,
        "requestContext": {
            "domainName": DOMAIN,
            "stage": "$default",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7"},
        },
        "isBase64Encoded": False,
    }


class StatusApi:
    """The API over a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.app = build(Services(world.sources, RELAY_URL, lambda size: b"n" * size))

    def ask(self, path: str, method: str = "GET", **event: Any) -> Answer:
        """Ask, and read the answer as API Gateway would."""
        raw = answer(lambda: self.app, http_event(method, path, **event), None)
        body = b64decode(raw["body"]).decode("latin-1") if raw.get("isBase64Encoded") else raw["body"]
        watch.look(f"the page {path}", f"{raw['headers']}\n{body}")
        return Answer(raw["statusCode"], raw["headers"], body, raw)

    def owner(self, path: str, method: str = "GET", **event: Any) -> Answer:
        """Ask as the owner."""
        return self.ask(path, method, cookies=[OWNER_COOKIE], **event)

    def log_in(self) -> None:
        """Let there be an owner's session and a relay key."""
        self.world.board.items[session_key(sha256(SESSION.encode()).hexdigest())] = {"user_id": "AB1234"}
        ring = KeyRing([RelayKey("my-bot", hash_key(KEY), frozenset({Scope.TICKS}), ist("2026-11-20 09:00"))])
        self.world.parameters.values["relay_keys"] = ring.to_json()
