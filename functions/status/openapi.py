"""The API's own description: as OpenAPI for programs, as a page for people, both from one document."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from html import escape
from itertools import cycle
from pathlib import Path
from typing import Any

from functions.web import page as look
from kite_relay import __version__

HERE = Path(__file__).parent


@cache
def document() -> Mapping[str, Any]:
    """Give the OpenAPI document of this version."""
    found: dict[str, Any] = json.loads((HERE / "openapi.json").read_text(encoding="utf-8"))
    found["info"]["version"] = __version__
    return found


@cache
def page() -> str:
    """Give the document as a page; it needs no script."""
    api = document()
    operations = "".join(
        _operation(path, method, operation)
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
    )
    return look.template(HERE / "docs.html").substitute(
        title=escape(api["info"]["title"]),
        version=escape(api["info"]["version"]),
        description=_prose(api["info"]["description"]),
        operations=operations,
        static=look.ROOT,
    )


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    answers = "".join(
        f"<dt><code>{escape(code)}</code></dt><dd>{_prose(answer['description'])}{_fields(answer)}</dd>"
        for code, answer in operation["responses"].items()
    )
    asked = "".join(
        f"<dt><code>{escape(it['name'])}</code></dt><dd>{_prose(it.get('description', ''))} ({escape(it['in'])})</dd>"
        for it in operation.get("parameters", ())
    )
    return (
        f'<section id="{escape(operation["operationId"])}"><h2><code>{method.upper()} {escape(path)}</code></h2>'
        f"<p>{_prose(operation['summary'])}.</p><p>{_prose(operation.get('description', ''))}</p>"
        f"{f'<h3>Asks for</h3><dl>{asked}</dl>' if asked else ''}<h3>Answers</h3><dl>{answers}</dl></section>"
    )


def _fields(answer: Mapping[str, Any]) -> str:
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    rows = "".join(
        f"<li><code>{escape(name)}</code> {escape(kind)} {_prose(words)}</li>"
        for name, kind, words in _walk(schema, "")
    )
    return f"<details><summary>Keys</summary><ul>{rows}</ul></details>" if rows else ""


def _walk(schema: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str, str]]:
    """List every key of a schema as (dotted name, type, description)."""
    schema = _resolved(schema)
    for part in schema.get("allOf", ()):
        yield from _walk(part, prefix)
    for name, below in schema.get("properties", {}).items():
        inner = _resolved(below)
        yield prefix + name, _kind(inner), inner.get("description", "")
        yield from _walk(inner, f"{prefix}{name}.")
        yield from _walk(inner.get("items", {}), f"{prefix}{name}[].")
        if isinstance(inner.get("additionalProperties"), Mapping):
            yield from _walk(inner["additionalProperties"], f"{prefix}{name}.*.")


def _kind(schema: Mapping[str, Any]) -> str:
    kinds = schema.get("type", "object")
    words = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    choices = [str(choice) for choice in schema.get("enum", ()) if choice is not None]
    return f"{words}: {' | '.join(choices)}" if choices else words


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" in schema:
        found: Mapping[str, Any] = document()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        return found
    return schema


def _prose(text: str) -> str:
    """Escape a text and set what stands in back ticks as code."""
    parts = escape(text).split("`")
    return "".join(
        f"<code>{part}</code>" if odd else part for part, odd in zip(parts, cycle((False, True)), strict=False)
    )
