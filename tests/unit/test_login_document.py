"""The login function answers as the published document says: each documented answer of it, seen."""

import pytest

from functions.login_callback import app
from functions.status.openapi import document
from tests.fakes.api_gateway import DOMAIN, Answer, Browser
from tests.fakes.login_world import World, make_world


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Give a fresh world, and the function wired to it."""
    world = make_world()
    monkeypatch.setattr(app, "deployable", lambda: world.deployable)
    return world


def as_documented(answer: Answer, path: str, method: str = "get") -> int:
    """Check an answer's status, type and headers against the document; gives the status."""
    documented = document()["paths"][path][method]["responses"][str(answer.status)]
    assert answer.headers["Cache-Control"] == "no-store"
    assert ("Location" in answer.headers) == ("Location" in documented["headers"])
    for kind in documented.get("content", ()):
        assert answer.headers["Content-Type"].startswith(kind)
    return answer.status


def test_a_login_from_its_button_to_its_logout(world: World) -> None:
    """302 to Zerodha, 303 to the outcome, 200 with it, 200 for the logout."""
    assert as_documented(world.browser.get("/login"), "/login") == 302
    back = world.browser.get(world.callback())
    assert as_documented(back, "/callback") == 303
    assert as_documented(world.browser.get(back.location), "/login/result/{attempt_id}") == 200
    own = {"origin": f"https://{DOMAIN}"}
    assert as_documented(world.browser.request("POST", "/logout", own), "/logout", "post") == 200


def test_a_strangers_logout(world: World) -> None:
    """403, and nothing changed."""
    answer = Browser(app.handler).request("POST", "/logout", {"origin": f"https://{DOMAIN}"})
    assert as_documented(answer, "/logout", "post") == 403
    assert world.untouched


def test_every_path_of_the_login_function_is_documented() -> None:
    """No path is published that does not exist, and none exists that is not published."""
    known = [*app.routes.app._static_routes, *app.routes.app._dynamic_routes]
    routes = {(route.method.lower(), route.path.replace("<name>", "{attempt_id}")) for route in known}
    documented = {
        (method, path)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if "login" in operation["tags"]
    }
    assert routes == documented
