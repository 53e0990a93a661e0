"""What the routes rest on; made once per process, so that connections and short-lived caches are shared."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from secrets import token_bytes

from kite_relay.adapters.calendar import CalendarSource
from kite_relay.config import status_deployable
from kite_relay.domain.errors import KiteRelayError
from kite_relay.domain.relay_keys import NONCE_SIZE, PARAMETER, KeyRing
from kite_relay.usecases.issue_feed_ticket import Ticket, issue_feed_ticket
from kite_relay.usecases.report_status import KEEP_SECONDS, Kept, Report, ReportStatus, Sources


class Services:
    """The use cases, wired.

    Args:
        sources: the ports.
        relay_url: where the dashboard finds the relay; empty when it has none.
        random_bytes: the source of randomness.
    """

    def __init__(self, sources: Sources, relay_url: str, random_bytes: Callable[[int], bytes]) -> None:
        self.sources = sources
        self.relay_url = relay_url
        self._random_bytes = random_bytes
        self._status = ReportStatus(sources)
        self._keys = Kept(self._read_keys, sources.clock)

    def report(self, login_url: str, session: str) -> Report:
        """Say how everything is."""
        return self._status.report(login_url=login_url, session=session)

    def ticket(self, session: str) -> Ticket:
        """Issue a ticket for the relay."""
        return issue_feed_ticket(self.sources.board, self.sources.clock, session, self._random_bytes(NONCE_SIZE))

    def knows(self, key: str) -> bool:
        """Tell whether a relay key is one of ours; when that cannot be known, it is not."""
        try:
            return self._keys.get().find(key) is not None
        except KiteRelayError:
            return False

    def _read_keys(self) -> KeyRing:
        parameter = self.sources.parameters.read(PARAMETER)
        return KeyRing.parse(parameter.value if parameter else None)


def from_environment(variables: Mapping[str, str]) -> Services:
    """Wire everything from the environment.

    Raises:
        ConfigurationError: the environment is not complete; tells every problem.
    """
    wired = status_deployable(variables)
    calendar = CalendarSource(wired.parameters, timedelta(seconds=KEEP_SECONDS))
    sources = Sources(wired.tokens, wired.parameters, wired.board, wired.clock, calendar)
    return Services(sources, wired.relay_url, token_bytes)
