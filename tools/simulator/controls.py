"""Everything that the simulator can be told, as methods: the HTTP controls and the command line are made from these.

Each method's docstring is its help, its arguments are its options; what it returns is JSON.
"""

import asyncio
from collections.abc import Iterator
from typing import Any, Literal, get_args

from tools.simulator.accounts import Accounts, Session
from tools.simulator.clock import Clock
from tools.simulator.connection import BINARY, TEXT, Connection, Silence, header
from tools.simulator.faults import Fate, Faults, OldSocket, Refusal, Settings
from tools.simulator.journal import Journal
from tools.simulator.market import Market
from tools.simulator.packets import frame
from tools.simulator.ticker import Ticker

Answer = dict[str, Any]
Malformation = Literal["truncated", "count", "length", "one-byte", "text", "utf8", "list", "huge", "opcode"]
TextKind = Literal["message", "error", "order"]
DEFAULT_USER = "AB1234"


class Controls:
    """What a test or a person tells the simulator.

    Args:
        accounts: the sessions.
        market: the prices.
        ticker: the sockets.
        clock: the time.
        settings: behaviour and faults.
        journal: the counts.
    """

    def __init__(
        self,
        accounts: Accounts,
        market: Market,
        ticker: Ticker,
        clock: Clock,
        settings: Settings,
        journal: Journal,
    ) -> None:
        self.accounts = accounts
        self.market = market
        self.ticker = ticker
        self.clock = clock
        self.settings = settings
        self.journal = journal
        self._orders = 0

    # ---- tokens ----

    def mint(self, user_id: str = DEFAULT_USER) -> Answer:
        """Issue an access token without the login page; the user's older ones die, as after any login."""
        session = self.accounts.mint(user_id)
        self.journal.count("mints.ok")
        self.logged_in(session)
        return {"access_token": session.token, "generation": session.generation, "fingerprint": session.fingerprint}

    def login(self, user_id: str = DEFAULT_USER) -> Answer:
        """Issue a request token, as the login page does; it is to be exchanged within 5 minutes."""
        return {"request_token": self.accounts.log_in(user_id)}

    def expire(self, generation: int | None = None, sockets: Fate = "survive") -> Answer:
        """Kill the newest token, or that of a generation; `sockets` is the fate of the sockets it opened."""
        found = [s for s in self.accounts.sessions if s.generation == generation or generation is None][-1:]
        for session in found:
            session.killed = True
        return self._seal(found, sockets)

    def flush(self, sockets: Fate = "survive") -> Answer:
        """Kill every token, as Kite does each morning between 06:45 and 07:30."""
        return self._seal(self.accounts.kill_all(), sockets)

    def old_socket(self, mode: OldSocket) -> Answer:
        """Set what a new login does to the sockets of the older token."""
        if mode not in get_args(OldSocket):
            raise ValueError(f"mode: one of {', '.join(get_args(OldSocket))}")
        self.settings.old_socket = mode
        return {"old_socket": mode}

    # ---- faults of the ticker ----

    def refuse(self, status: int = 403, times: int | None = None) -> Answer:
        """Refuse the next handshakes with a status, whatever their token: some, or all until `calm`."""
        self.settings.faults.handshake = Refusal(status, times)
        return {"status": status, "times": times}

    def close(self, code: int = 1000, reason: str = "", socket: int | None = None) -> Answer:
        """Close one socket, or all, with a close frame."""
        chosen = self._chosen(socket)
        self._closing = [asyncio.ensure_future(connection.close(code, reason)) for connection in chosen]
        return self._touched(chosen)

    def drop(self, socket: int | None = None) -> Answer:
        """Cut one socket off, or all, without a close frame."""
        chosen = self._chosen(socket)
        for connection in chosen:
            connection.drop()
        return self._touched(chosen)

    def mute(self, *, socket: int | None = None, new: bool = False) -> Answer:
        """Send heartbeats but no packets; `new` also to sockets that are opened from now on."""
        return self._hush(Silence.MUTED, socket, new=new)

    def stall(self, *, socket: int | None = None, new: bool = False) -> Answer:
        """Send not one byte more, though the socket stays open and is read."""
        return self._hush(Silence.STALLED, socket, new=new)

    def blackhole(self, *, socket: int | None = None, new: bool = False) -> Answer:
        """Neither send nor read: the cable was pulled."""
        return self._hush(Silence.BLACK_HOLED, socket, new=new)

    def flood(self, frames: int = 1000, socket: int | None = None) -> Answer:
        """Move the market that many times at once, each time sending every change."""
        chosen = self._chosen(socket)
        for _ in range(frames):
            moved = self.market.move_all(self.ticker.epoch())
            for connection in chosen:
                connection.beat(moved)
        return self._touched(chosen) | {"frames": frames}

    def malformed(self, kind: Malformation = "truncated", socket: int | None = None) -> Answer:
        """Send one frame that no client expects."""
        data = dict(_malformations()).get(kind)
        if data is None:
            raise ValueError(f"kind: one of {', '.join(get_args(Malformation))}")
        chosen = self._chosen(socket)
        for connection in chosen:
            connection.write_raw(data)
        return self._touched(chosen)

    def delay(self, handshake_ms: float | None = None, rest_ms: float | None = None) -> Answer:
        """Answer handshakes and REST calls that many milliseconds late; what is not given stays as it is."""
        faults = self.settings.faults
        if handshake_ms is not None:
            faults.handshake_delay = handshake_ms / 1000
        if rest_ms is not None:
            faults.rest_delay = rest_ms / 1000
        return {"handshake_ms": faults.handshake_delay * 1000, "rest_ms": faults.rest_delay * 1000}

    def lag(self, ms: float, *, socket: int | None = None) -> Answer:
        """Send everything that much later to one socket, or to all that are open: sockets get out of step."""
        chosen = self._chosen(socket)
        for connection in chosen:
            connection.lag = ms / 1000
        return self._touched(chosen)

    # ---- faults of REST ----

    def rest(self, status: int = 503, times: int | None = None, path: str = "") -> Answer:
        """Answer the next REST calls (under a path) with an error: some, or all until `calm`."""
        self.settings.faults.rest = Refusal(status, times, path)
        return {"status": status, "times": times, "path": path}

    def lose(self, times: int = 1) -> Answer:
        """Do the next token exchanges, but cut the connection before the answer."""
        self.settings.faults.lost_answers = times
        return {"times": times}

    def calm(self) -> Answer:
        """End every fault; sockets that were silent speak again. Dead tokens stay dead."""
        self.settings.faults = Faults()
        for connection in self._chosen(None):
            connection.hush(Silence.NONE)
            connection.lag = 0.0
        return {}

    # ---- market, texts, time ----

    def pace(self, updates: float | None = None, frames: float | None = None) -> Answer:
        """Set how often per second each instrument moves (0: never), and how many messages per second carry it."""
        updates = self.settings.updates if updates is None else updates
        frames = self.settings.frames if frames is None else frames
        if not 0 <= updates <= frames or frames <= 0:
            raise ValueError("frames must be greater than 0, and updates between 0 and frames")
        self.settings.updates, self.settings.frames = updates, frames
        return {"updates": updates, "frames": frames}

    def step(self, times: int = 1) -> Answer:
        """Move every instrument that was ever subscribed to, that many times; each time is one message."""
        for _ in range(times):
            self.ticker.beat(self.market.move_all(self.ticker.epoch()))
        return {"instruments": len(self.market)}

    def text(self, data: str = "hello", kind: TextKind = "message", socket: int | None = None) -> Answer:
        """Send a text frame of a kind."""
        chosen = self._chosen(socket)
        for connection in chosen:
            connection.send_text({"type": kind, "data": data})
        return self._touched(chosen)

    def order(self, status: str = "COMPLETE", symbol: str = "SBIN") -> Answer:
        """Send an order update to every socket; order ids count up from 1."""
        self._orders += 1
        now = self.clock.now().strftime("%Y-%m-%d %H:%M:%S")
        instrument = self.market.catalog.by_name[f"NSE:{symbol}"]
        update = {
            "user_id": DEFAULT_USER,
            "order_id": str(self._orders),
            "status": status,
            "exchange": "NSE",
            "tradingsymbol": symbol,
            "instrument_token": instrument.token,
            "order_type": "MARKET",
            "transaction_type": "BUY",
            "quantity": 1,
            "order_timestamp": now,
            "exchange_timestamp": now,
        }
        chosen = self._chosen(None)
        for connection in chosen:
            connection.send_text({"type": "order", "data": update})
        return self._touched(chosen) | {"order_id": update["order_id"]}

    def advance(self, seconds: float) -> Answer:
        """Put the clock forward: request tokens age, and the daily flush may come."""
        self.clock.advance(seconds)
        return {"clock": self.clock.now().isoformat()}

    def app(self, redirect_url: str) -> Answer:
        """Register another redirect URL."""
        self.settings.redirect_url = redirect_url
        return {"redirect_url": redirect_url}

    def forget(self) -> Answer:
        """Set every count to nothing; tokens, sockets and faults stay."""
        self.journal.clear()
        return {}

    def state(self) -> Answer:
        """Tell everything: counts, dials, tokens by their fingerprints, sockets, pace, faults."""
        settings, faults = self.settings, self.settings.faults
        return {
            "clock": self.clock.now().isoformat(),
            "instruments": len(self.market),
            "pace": {"updates": settings.updates, "frames": settings.frames},
            "old_socket": settings.old_socket,
            "faults": {
                "handshake_ms": faults.handshake_delay * 1000,
                "rest_ms": faults.rest_delay * 1000,
                "refusing": faults.handshake.status if faults.handshake else None,
                "rest": faults.rest.status if faults.rest else None,
                "new_sockets": faults.new_sockets.value,
            },
            "tokens": [
                {
                    "generation": session.generation,
                    "fingerprint": session.fingerprint,
                    "user_id": session.user_id,
                    "minted_at": session.minted_at.isoformat(),
                    "alive": self.accounts.is_alive(session),
                }
                for session in self.accounts.sessions
            ],
            "sockets": [connection.summary() for connection in self.ticker.connections.values()],
            **self.journal.summary(),
        }

    # ---- not controls ----

    def logged_in(self, session: Session) -> None:
        """Do to the older sockets what a new login does."""
        if self.settings.old_socket == "dies":
            older = [s for s in self.accounts.sessions if s.user_id == session.user_id and s is not session]
            self._seal(older, "die")

    def _seal(self, sessions: list[Session], fate: Fate) -> Answer:
        if fate not in get_args(Fate):
            raise ValueError(f"sockets: one of {', '.join(get_args(Fate))}")
        generations = [session.generation for session in sessions]
        for connection in self._chosen(None):
            if connection.session.generation not in generations:
                continue
            if fate == "die":
                connection.drop()
            elif fate == "mute":
                connection.hush(Silence.MUTED)
        return {"generations": generations}

    def _hush(self, silence: Silence, socket: int | None, *, new: bool) -> Answer:
        if new:
            self.settings.faults.new_sockets = silence
        chosen = self._chosen(socket)
        for connection in chosen:
            connection.hush(silence)
        return self._touched(chosen)

    def _chosen(self, socket: int | None) -> list[Connection]:
        return [c for c in self.ticker.connections.values() if c.is_open and socket in (None, c.number)]

    @staticmethod
    def _touched(connections: list[Connection]) -> Answer:
        return {"sockets": [connection.number for connection in connections]}


def _malformations() -> Iterator[tuple[Malformation, bytes]]:
    """Give the bytes of each malformed frame, WebSocket header and all."""
    packet = bytes(range(44))
    good = frame([packet, packet])
    payloads: dict[Malformation, tuple[int, bytes]] = {
        "truncated": (BINARY, good[:-5]),
        "count": (BINARY, b"\xff\xff" + good[2:]),
        "length": (BINARY, b"\x00\x01\x00\x2d" + packet + b"\x00"),
        "one-byte": (BINARY, b"\x01"),
        "text": (TEXT, b"{not json"),
        "utf8": (TEXT, b"\xff\xfe\xfd"),
        "list": (TEXT, b"[1, 2, 3]"),
        "huge": (BINARY, bytes(4 << 20)),
    }
    for kind, (opcode, payload) in payloads.items():
        yield kind, header(opcode, len(payload)) + payload
    yield "opcode", header(0x3, 2) + b"??"
