"""Zerodha's login page, as far as a browser needs it; and the page that says what this server is."""

from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from aiohttp import web

from tools.simulator.accounts import Accounts
from tools.simulator.controls import DEFAULT_USER
from tools.simulator.faults import Settings
from tools.simulator.journal import Journal
from tools.simulator.rest import failure

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: Canvas; color: CanvasText }
main { width: min(22rem, 100vw - 2rem); padding: 1.5rem 0 }
h1 { font-size: 1.25rem; margin: 0 0 .25rem }
p { margin: 0 0 1rem }
label { display: block; margin: .75rem 0 .25rem }
input { width: 100%; box-sizing: border-box; font: inherit; padding: .5rem; border: 1px solid GrayText }
input { border-radius: 4px }
button { width: 100%; font: inherit; padding: .6rem; margin-top: 1rem; border-radius: 4px; border: 1px solid #c2410c }
button[value=login] { background: #c2410c; color: #fff }
button[value=cancel] { background: none; color: inherit; border-color: GrayText }
.error { border-left: 4px solid #b91c1c; padding-left: .75rem }
code { font-size: .9em }
"""
_FIELDS = (
    ("user_id", "User ID", "text", "username"),
    ("password", "Password", "password", "current-password"),
    ("totp", "TOTP", "text", "one-time-code"),
)


def page(title: str, body: str, status: int = 200) -> web.Response:
    """Write a page."""
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{STYLE}</style></head><body><main>{body}</main></body></html>"
    )
    return web.Response(text=html, content_type="text/html", status=status, headers={"Cache-Control": "no-store"})


def form(user_id: str, problem: str) -> str:
    """Write the login form."""
    note = f'<p class="error" role="alert">{escape(problem)}</p>' if problem else ""
    inputs = "".join(
        f'<label for="{name}">{label}</label><input id="{name}" name="{name}" type="{kind}" autocomplete="{hint}"'
        f' value="{escape(user_id if name == "user_id" else "")}">'
        for name, label, kind, hint in _FIELDS
    )
    return (
        "<h1>Login to Kite (simulated)</h1>"
        f"<p>This is not Zerodha. Any password and code are accepted; never type a real password here.</p>{note}"
        f'<form method="post">{inputs}<button name="do" value="login">Login</button>'
        '<button name="do" value="cancel">Cancel</button></form>'
    )


def back(redirect_url: str, outcome: dict[str, str], redirect_params: str) -> str:
    """Write where the browser is sent: the registered URL, the outcome, and what the app asked to get back."""
    parts = urlsplit(redirect_url)
    query = [*parse_qsl(parts.query), *outcome.items(), *parse_qsl(redirect_params, keep_blank_values=True)]
    return urlunsplit(parts._replace(query=urlencode(query)))


class Login:
    """The login page.

    Args:
        accounts: where a request token comes from.
        settings: where the browser goes next.
        journal: where logins are counted.
    """

    def __init__(self, accounts: Accounts, settings: Settings, journal: Journal) -> None:
        self._accounts = accounts
        self._settings = settings
        self._journal = journal

    def routes(self) -> list[web.RouteDef]:
        """List what is served."""
        return [web.get("/connect/login", self._show), web.post("/connect/login", self._submit)]

    async def _show(self, request: web.Request) -> web.Response:
        return self._wrong_app(request) or page("Login - simulated Kite", form(DEFAULT_USER, ""))

    async def _submit(self, request: web.Request) -> web.Response:
        if refusal := self._wrong_app(request):
            return refusal
        fields = {name: str(value).strip() for name, value in (await request.post()).items()}
        if fields.get("do") == "cancel":
            self._journal.count("logins.cancelled")
            return self._leave(request, {"action": "login", "status": "cancelled"})
        missing = [label for name, label, _, _ in _FIELDS if not fields.get(name)]
        if missing:
            problem = f"Please fill in: {', '.join(missing)}."
            return page("Login - simulated Kite", form(fields.get("user_id", ""), problem), status=400)
        self._journal.count("logins.ok")
        token = self._accounts.log_in(fields["user_id"])
        outcome = {"action": "login", "type": "login", "status": "success", "request_token": token}
        return self._leave(request, outcome)

    def _leave(self, request: web.Request, outcome: dict[str, str]) -> web.Response:
        target = back(self._settings.redirect_url, outcome, request.query.get("redirect_params", ""))
        return web.Response(status=302, headers={"Location": target, "Cache-Control": "no-store"})

    def _wrong_app(self, request: web.Request) -> web.Response | None:
        if request.query.get("v") != "3":
            return failure(400, "InputException", "Invalid API version. Use v=3.")
        if request.query.get("api_key") != self._accounts.api_key:
            return failure(400, "InputException", "Invalid `api_key`.")
        return None
