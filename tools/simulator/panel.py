"""The controls over HTTP: `POST /sim/<name>` with a JSON object of its arguments; `GET /sim/` lists them."""

import inspect
from collections.abc import Callable
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from aiohttp import web

from tools.simulator.controls import Controls

NAMES = (
    *("mint", "login", "expire", "flush", "old_socket"),
    *("refuse", "close", "drop", "mute", "stall", "blackhole", "flood", "malformed", "delay", "lag"),
    *("rest", "lose", "calm", "pace", "step", "text", "order", "advance", "app", "forget", "state"),
)
"""Every control; in a URL and on the command line `_` is written `-`."""


def arguments(control: Callable[..., Any], given: Any) -> dict[str, Any]:
    """Check what was given against the control's signature.

    Raises:
        ValueError: says which argument is unknown, missing or of another type.
    """
    if not isinstance(given, dict):
        raise ValueError("the body must be a JSON object")  # noqa: TRY004 - the caller sent it, and is told so
    hints = get_type_hints(control)
    parameters = {name: p for name, p in inspect.signature(control).parameters.items() if name != "self"}
    if unknown := given.keys() - parameters.keys():
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(parameters) or 'none'}")
    for name, parameter in parameters.items():
        if name not in given and parameter.default is parameter.empty:
            raise ValueError(f"{name}: must be given")
    for name, value in given.items():
        if not _fits(value, hints[name]):
            raise ValueError(f"{name}: {_told(hints[name])}, not {value!r}")
    return given


def _fits(value: Any, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if isinstance(kind, UnionType):
        return any(_fits(value, one) for one in get_args(kind))
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _told(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " | ".join(get_args(kind))
    if isinstance(kind, UnionType):
        return " | ".join(_told(one) for one in get_args(kind))
    return {str: "text", int: "whole number", float: "number", bool: "true | false", NoneType: "null"}[kind]


class Panel:
    """Serves the controls."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls

    def routes(self) -> list[web.RouteDef]:
        """List what is served."""
        return [
            web.get("/sim/", self._list),
            web.get("/sim/state", self._state),
            web.post("/sim/{name}", self._do),
        ]

    async def _list(self, _request: web.Request) -> web.Response:
        listing = {}
        for name in NAMES:
            control = getattr(self._controls, name)
            options = {option: _told(kind) for option, kind in get_type_hints(control).items() if option != "return"}
            listing[name.replace("_", "-")] = {"does": inspect.getdoc(control), "arguments": options}
        return web.json_response(listing)

    async def _state(self, _request: web.Request) -> web.Response:
        return web.json_response(self._controls.state())

    async def _do(self, request: web.Request) -> web.Response:
        name = request.match_info["name"].replace("-", "_")
        if name not in NAMES:
            return web.json_response({"error": f"no such control: {name}. GET /sim/ lists them."}, status=404)
        control = getattr(self._controls, name)
        try:
            given = await request.json() if request.can_read_body else {}
            answer = control(**arguments(control, given))
        except (ValueError, LookupError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response(answer)
