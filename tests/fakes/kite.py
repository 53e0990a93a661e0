"""A fake of Kite's REST side."""

from kite_relay.domain.errors import LoginRefusedError, TokenRejectedError
from kite_relay.ports import KiteLogin
from tests.fakes import canaries
from tests.fakes.trouble import FakeClock, Fallible


class FakeKiteSession(Fallible):
    """Issues request tokens to a test, exchanges each once, and remembers which access tokens live.

    `exchanges` counts the calls, refused ones too; `invalidated` lists the tokens that were killed.
    """

    def __init__(self, clock: FakeClock | None = None) -> None:
        super().__init__()
        self._clock = clock or FakeClock()
        self._request_tokens: dict[str, str] = {}
        self._issued = 0
        self.alive: dict[str, str] = {}
        self.invalidated: list[str] = []

    @property
    def exchanges(self) -> int:
        """Count the exchanges that were asked for."""
        return self.calls.get("exchange", 0)

    def issue_request_token(self, user_id: str = "AB1234") -> str:
        """Log a user in at Zerodha; returns what the redirect carries."""
        self._issued += 1
        token = canaries.canary("RequestToken", self._issued)
        self._request_tokens[token] = user_id
        return token

    def exchange(self, request_token: str) -> KiteLogin:
        """Spend a request token."""
        self._called("exchange")
        user_id = self._request_tokens.pop(request_token, None)
        if user_id is None:
            raise LoginRefusedError("Token is invalid or has expired.")
        access_token = canaries.access_token(self._issued)
        self.alive[access_token] = user_id
        return KiteLogin(access_token, user_id, self._clock.now())

    def profile(self, access_token: str) -> str:
        """Tell whose token it is."""
        self._called("profile")
        if access_token not in self.alive:
            raise TokenRejectedError("Incorrect `api_key` or `access_token`.")
        return self.alive[access_token]

    def invalidate(self, access_token: str) -> None:
        """Kill a token."""
        self._called("invalidate")
        self.invalidated.append(access_token)
        self.alive.pop(access_token, None)
