"""Reads and rewrites a `.env` file without disturbing what is not ours: comments, order, other variables."""

import re
from collections.abc import Mapping

_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_BARE = re.compile(r"[A-Za-z0-9_@%+:,./-]*")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"')
_SINGLE = re.compile(r"'([^']*)'")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def parse(text: str) -> dict[str, str]:
    """Read the variables; the last of a name counts, as in a shell."""
    found = (_LINE.fullmatch(line) for line in text.splitlines())
    return {match[1]: _unquote(match[2]) for match in found if match}


def _unquote(text: str) -> str:
    if match := _DOUBLE.match(text):
        return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), match[1])
    if match := _SINGLE.match(text):
        return match[1]
    return re.split(r"(?:^|\s)#", text, maxsplit=1)[0].strip()


def _quote(value: str) -> str:
    if _BARE.fullmatch(value):
        return value
    if not re.search(r"['\r\n]", value):
        return f"'{value}'"
    escaped = re.sub(r'[\\"]', r"\\\g<0>", value)
    return '"' + escaped.replace("\n", r"\n").replace("\r", r"\r") + '"'


def update(text: str, changes: Mapping[str, str]) -> str:
    """Give the file's text with some variables set: in their place, or at the end."""
    lines, missing = [], dict(changes)
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if not match or match[1] not in changes:
            lines.append(line)
        elif match[1] in missing:
            lines.append(f"{match[1]}={_quote(missing.pop(match[1]))}")
    lines += [f"{name}={_quote(value)}" for name, value in missing.items()]
    return "\n".join(lines) + "\n"
