"""The real status function over HTTP and a real relay, over a world whose weather the test makes."""

import asyncio
import struct
import threading
from collections.abc import Coroutine
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from hashlib import sha256
from types import TracebackType
from typing import Any, Self

from functions.status.app import answer
from functions.status.routes import build
from functions.status.services import Services
from kite_relay.domain.records import TicketKey, session_key
from tests.fakes.canaries import SESSION
from tests.fakes.gateway import gateway
from tests.fakes.relay_world import World as RelayWorld
from tests.fakes.world import World
from tools.simulator.catalog import Catalog
from worker.relay_find import Directory

NAMES = ["NSE:NIFTY 50", "NSE:NIFTY BANK", "BSE:SENSEX"]
NIFTY, BANK, SENSEX, INFY = 256265, 260105, 265, 408065
DUMP = Catalog(date(2026, 11, 24)).dump()


def packet(token: int, price: float, at: float) -> bytes:
    """Make a full packet: an index's, or a share's."""
    paise, close, stamp = round(price * 100), round(price * 99.5), int(at)
    if token & 0xFF == 9:
        return struct.pack(">8I", token, paise, paise, paise, paise, close, 0, stamp)
    head = struct.pack(">11I", token, paise, 1, paise, 1000, 1, 1, paise, paise, paise, close)
    return head + struct.pack(">5I", stamp, 0, 0, 0, stamp) + bytes(120)


class Weather:
    """A page and its relay. The relay lives in a loop of its own thread, as it would in a process of its own."""

    def __init__(self, now: str = "2026-11-27 10:31:12") -> None:
        self.world = World(now)
        self.world.live()
        self.relay_settings: dict[str, Any] = {}
        self._stack = ExitStack()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        handler = self._handler()
        self.page = self._stack.enter_context(gateway(handler))
        self.page = self.page.replace("127.0.0.1", "localhost").rstrip("/")
        self.start_relay()
        self._services.relay_url = f"ws://localhost:{self.relay.relay.port}"
        self.world.board.items[session_key(sha256(SESSION.encode()).hexdigest())] = {"user_id": "AB1234"}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_relay()
        self._stack.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _handler(self) -> Any:
        self._services = Services(self.world.sources, "", _counted_bytes())
        app = build(self._services)
        one_at_a_time = threading.Lock()  # as a Lambda's process does

        def handle(event: dict[str, Any], context: Any) -> dict[str, Any]:
            with one_at_a_time:
                self.world.clock.advance(2)  # each request comes too late for what the last one saw,
                self.world.clock.step_wall(-2)  # at the same time of day
                return answer(lambda: app, event, context)

        return handle

    @property
    def origins(self) -> set[str]:
        """The page's own origin and the relay's: nothing else may be spoken to."""
        return {self.page, self._services.relay_url}

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something in the relay's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def start_relay(self, port: int = 0) -> None:
        """Start a relay, with a new ticket key on the board as every worker start makes one."""

        async def start() -> RelayWorld:
            relay = RelayWorld(origins=frozenset({self.page}), heartbeat=0.5, port=port)
            relay.clock.jump(self.world.clock.now())
            directory = Directory(lambda: DUMP, NAMES, relay.clock)
            made = type(relay.relay)(
                relay.bus, relay.parameters, replace(relay.relay.settings, port=port), relay.clock, directory=directory
            )
            relay.relay = made
            key = TicketKey(sha256(str(id(made)).encode()).hexdigest())
            made.use_ticket_key(key)
            self.world.tell(key)
            await made.start()
            return relay

        self.relay: RelayWorld = self.run(start())

    def stop_relay(self) -> None:
        """Stop it as a restart would."""
        self.run(self.relay.relay.stop())

    def tick(self, prices: dict[int, float], at: float | None = None) -> None:
        """Let Kite send prices."""

        async def send() -> None:
            stamp = at if at is not None else self.world.clock.now().timestamp()
            self.relay.tick(*(packet(token, price, stamp) for token, price in prices.items()))

        self.run(send())

    def wanted(self) -> set[int]:
        """Tell what the page has subscribed to."""
        return set(self.relay.wanted.get("relay", ()))

    def cookies(self) -> list[Any]:
        """Give what a logged-in browser holds."""
        return [
            {"name": "__Host-kr-owner", "value": SESSION, "url": "https://localhost/", "secure": True, "httpOnly": True}
        ]


def _counted_bytes() -> Any:
    count = iter(range(1, 1 << 30))
    return lambda size: next(count).to_bytes(size, "big")
