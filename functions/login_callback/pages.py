"""What each outcome says: what happened, and what happens next."""

from dataclasses import dataclass
from http import HTTPStatus

from functions.web.page import Tone, result_page
from kite_relay.domain.login import Outcome

DASHBOARD = ("Open the dashboard", "/")
AGAIN = ("Log in again", "/login")
REFRESH_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Page:
    """One page; `{detail}` in a sentence is Kite's own word, or the user's id."""

    status: HTTPStatus
    tone: Tone
    title: str
    sentence: str
    next_step: str
    action: tuple[str, str] | None = None
    refresh_seconds: int | None = None

    def render(self, detail: str = "") -> str:
        """Write the page."""
        return result_page(
            self.title,
            self.sentence.replace("{detail}", detail),
            self.next_step,
            action=self.action,
            tone=self.tone,
            refresh_seconds=self.refresh_seconds,
        )


PAGES = {
    Outcome.WORKING: Page(
        HTTPStatus.ACCEPTED,
        Tone.WAIT,
        "Working on it",
        "Zerodha said yes, and your token is being stored.",
        "This page looks again by itself. There is nothing to press.",
        refresh_seconds=REFRESH_SECONDS,
    ),
    Outcome.ANNOUNCED: Page(
        HTTPStatus.OK,
        Tone.GOOD,
        "You are logged in",
        "The new token is stored and announced.",
        "Your feed moves to it within seconds, without a restart. The dashboard tells when the first tick is there.",
        DASHBOARD,
    ),
    Outcome.UNANNOUNCED: Page(
        HTTPStatus.OK,
        Tone.WARN,
        "Stored, but not announced",
        "The new token is stored, but the message to the worker did not go out.",
        "There is nothing to press: the worker looks for a new token by itself and finds it within about a minute.",
        DASHBOARD,
    ),
    Outcome.WRONG_USER: Page(
        HTTPStatus.FORBIDDEN,
        Tone.BAD,
        "Another Zerodha user",
        "You logged in as {detail}, who may not set this token. Nothing was stored.",
        "Zerodha was asked to end that session. Log out at kite.zerodha.com too, then log in again as yourself.",
        AGAIN,
    ),
    Outcome.CANCELLED: Page(
        HTTPStatus.OK,
        Tone.WARN,
        "The login was cancelled",
        "Zerodha says that you did not finish. Nothing has changed.",
        "The token of your last login, if it still lives, is still in use.",
        AGAIN,
    ),
    Outcome.EXPIRED: Page(
        HTTPStatus.BAD_REQUEST,
        Tone.WARN,
        "This link has expired",
        "The login is older than ten minutes, or was not begun in this browser. Nothing was done with it.",
        "Begin again here: it takes one minute.",
        AGAIN,
    ),
    Outcome.REFUSED: Page(
        HTTPStatus.FORBIDDEN,
        Tone.BAD,
        "Zerodha said no",
        "Zerodha did not accept the login: {detail}",
        "Log in again. If it says so twice, the API key or secret may be wrong: run kite-relay doctor.",
        AGAIN,
    ),
    Outcome.UNREACHABLE: Page(
        HTTPStatus.BAD_GATEWAY,
        Tone.BAD,
        "Zerodha is out of reach",
        "Zerodha did not answer when it was asked for the token. Nothing was stored.",
        "Wait a minute and log in again. If it stays so, look whether Zerodha's own Kite works.",
        AGAIN,
    ),
    Outcome.STORE_FAILED: Page(
        HTTPStatus.SERVICE_UNAVAILABLE,
        Tone.BAD,
        "The token is not stored",
        "Where the token should be kept did not take it, or could not be asked. Your programs have the old one.",
        "Wait a minute and log in again. If it stays so, run kite-relay doctor: it names what is wrong.",
        AGAIN,
    ),
}
ALREADY_DONE = Page(
    HTTPStatus.OK,
    Tone.GOOD,
    "Already done",
    "This login was completed before. Nothing was done twice.",
    "Your feed has the token, or gets it within about a minute.",
    DASHBOARD,
)
NOTHING_HERE = Page(
    HTTPStatus.NOT_FOUND,
    Tone.WARN,
    "Nothing to show here",
    "A login's result can be seen for half an hour, in the browser that began it.",
    "The dashboard tells whether you are logged in.",
    DASHBOARD,
)
NOT_SET_UP = Page(
    HTTPStatus.SERVICE_UNAVAILABLE,
    Tone.BAD,
    "Not ready for a login",
    "The app's API key and secret could not be read.",
    "Run kite-relay setup if you have not; otherwise run kite-relay doctor: it names what is wrong.",
)
NOT_NOW = Page(
    HTTPStatus.SERVICE_UNAVAILABLE,
    Tone.WAIT,
    "Not in advance",
    "A login is completed by opening this page, not by loading it in advance.",
    "Open it once more.",
)
LOGGED_OUT = Page(
    HTTPStatus.OK,
    Tone.GOOD,
    "You are logged out",
    "The token is dead at Zerodha.",
    "Your programs receive nothing until the next login.",
    AGAIN,
)
LOGGED_OUT_BEFORE = Page(
    HTTPStatus.OK, Tone.GOOD, "You are logged out", "There was no token to end.", "Nothing has changed.", AGAIN
)
NOT_YOURS = Page(
    HTTPStatus.FORBIDDEN,
    Tone.BAD,
    "Only the owner may log out",
    "This browser holds no session of the owner's, or another site sent it here. Nothing has changed.",
    "Log in first, then press the button on the dashboard.",
    AGAIN,
)
LOGOUT_UNREACHABLE = Page(
    HTTPStatus.BAD_GATEWAY,
    Tone.BAD,
    "Zerodha is out of reach",
    "Zerodha did not answer, so the token still lives and is still in use. Nothing has changed.",
    "Press log out again in a minute.",
    DASHBOARD,
)
LOGOUT_UNFINISHED = Page(
    HTTPStatus.SERVICE_UNAVAILABLE,
    Tone.BAD,
    "The logout is not complete",
    "Where the token is kept did not answer.",
    "Press log out again in a minute. If it stays so, run kite-relay doctor.",
    DASHBOARD,
)
BROKEN = Page(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    Tone.BAD,
    "Something broke",
    "This is a bug of ours; it was written down in the log.",
    "The dashboard tells whether you are logged in; if not, log in again.",
    DASHBOARD,
)
FIXED = {
    "cancelled": PAGES[Outcome.CANCELLED],
    "expired": PAGES[Outcome.EXPIRED],
    "store_failed": PAGES[Outcome.STORE_FAILED],
}
"""Pages of answers that belong to no attempt of ours. None of them speaks of success."""
