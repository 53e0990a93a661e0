"""All that stands behind the login function, and a browser before it."""

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from functions.login_callback import app
from kite_relay.config import LoginDeployable
from tests.fakes import (
    FakeClock,
    FakeEventBus,
    FakeKiteSession,
    FakeParameters,
    FakeStatusBoard,
    FakeTokenStore,
)
from tests.fakes.api_gateway import Browser
from tests.fakes.canaries import API_SECRET

OWNER = "__Host-kr-owner"


@dataclass
class World:
    """All that stands behind the function, and a browser before it."""

    clock: FakeClock
    tokens: FakeTokenStore
    parameters: FakeParameters
    bus: FakeEventBus
    board: FakeStatusBoard
    kite: FakeKiteSession
    browser: Browser

    @property
    def deployable(self) -> LoginDeployable:
        """Wire the fakes as the environment wires the real ones."""
        return LoginDeployable(
            ("AB1234",),
            "https://kite.zerodha.com",
            self.clock,
            self.tokens,
            self.parameters,
            self.bus,
            self.board,
            self.kite,
        )

    @property
    def untouched(self) -> bool:
        """Whether neither store nor bus noticed anything."""
        return not self.tokens.versions and not self.bus.events

    def begin(self) -> str:
        """Press the login button; returns the state that goes to Zerodha."""
        answer = self.browser.get("/login")
        assert answer.status == 302
        query = parse_qs(urlsplit(answer.location).query)
        return parse_qs(query["redirect_params"][0])["state"][0]

    def callback(self, user_id: str = "AB1234", **changes: str) -> str:
        """Log in at Zerodha; returns where it sends the browser."""
        state = changes.pop("state", None) or self.begin()
        parts = {
            "action": "login",
            "type": "login",
            "status": "success",
            "request_token": self.kite.issue_request_token(user_id),
            "state": state,
            **changes,
        }
        return "/callback?" + "&".join(f"{name}={value}" for name, value in parts.items())


def make_world() -> World:
    """Make a fresh world."""
    clock = FakeClock()
    return World(
        clock,
        FakeTokenStore(clock),
        FakeParameters(api_key="the-api-key", api_secret=API_SECRET),
        FakeEventBus(),
        FakeStatusBoard(clock),
        FakeKiteSession(clock),
        Browser(app.handler),
    )
