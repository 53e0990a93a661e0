"""What every Python process of the suite begins with: secrets of the vocabulary, and in a child a copy of what it says.

Python imports it by its name in the children, from the path that tests/watch/plugin.py gives them; it must cost
next to nothing and import nothing that the program would not.
"""

import logging
import os
import random
import secrets
import sys
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any, TextIO

HEAD = os.environ.get("CANARY_HEAD", "")
FOLDER = os.environ.get("CANARY_FOLDER", "")
_HERE = __file__.rpartition(os.sep)[0]
_HANDED_ON = ("CANARY_HEAD", "CANARY_FOLDER", "CANARY_QUIET", "COVERAGE_PROCESS_CONFIG")
_LAMBDA = any("ministack-lambda" in word for word in sys.orig_argv)
_NOT_OURS = sys.prefix.endswith(("/.envs/ministack", "/.envs/sam")) and not _LAMBDA
"""Is it a program that stands in for AWS, which holds the secrets? A Lambda of ours runs in its environment."""
_LETTERS = 32
"""So many letters has every token that the simulated Kite draws."""
_BINDING_AT = 16
"""Where in a login's 48 random bytes the secret part begins."""


def draw_canaries(head: str) -> None:
    """Let all that our code draws by chance to be a secret begin with the head, and tell who drew it."""
    token_bytes, token_urlsafe, choices = secrets.token_bytes, secrets.token_urlsafe, random.Random.choices

    def bytes_drawn(size: int | None = None) -> bytes:
        raw = token_bytes(size)
        start = _BINDING_AT if len(raw) > _LETTERS else 0
        return raw[:start] + head.encode() + raw[start + len(head) :] if _asker() else raw

    def text_drawn(size: int | None = None) -> str:
        raw, asker = token_urlsafe(size), _asker()
        return f"{head}{raw[:3]}{asker}-{raw[3:]}"[: len(raw)] if asker else raw

    def letters_drawn(self: random.Random, population: Sequence[Any], *args: Any, **options: Any) -> list[Any]:
        drawn = choices(self, population, *args, **options)
        if len(drawn) != _LETTERS or _asker() != "accounts":
            return drawn
        return [*head, *drawn[:3], *"Kite0", *drawn[len(head) + len("xxxKite0") :]]

    secrets.token_bytes, secrets.token_urlsafe = bytes_drawn, text_drawn  # type: ignore[assignment]
    random.Random.choices = letters_drawn  # type: ignore[method-assign, assignment]


def _asker() -> str:
    """Name the module of ours that asks for chance; empty for another's."""
    package, _, name = sys._getframe(2).f_globals.get("__name__", "").partition(".")
    return name.rpartition(".")[2] if package in ("functions", "kite_relay", "tools", "worker") else ""


def be_loud() -> None:
    """Keep every logger and handler at DEBUG, whatever the program asks for."""
    logging.root.setLevel(logging.DEBUG)
    for kind in (logging.Logger, logging.Handler):
        kind.setLevel = lambda *_: None  # type: ignore[method-assign]


def copy_to(copy: TextIO, stream: TextIO) -> None:
    """Let what is written to a stream be written to a file as well."""
    write = stream.write

    def written(text: str) -> int:
        copy.write(text)
        return write(text)

    stream.write = written  # type: ignore[method-assign]


def hand_on(env: MutableMapping[str, str]) -> None:
    """Let a Python process that gets this environment begin as this one did."""
    env.update({name: os.environ[name] for name in _HANDED_ON if name in os.environ})
    others = filter(None, env.get("PYTHONPATH", "").split(os.pathsep))
    env["PYTHONPATH"] = os.pathsep.join(dict.fromkeys((_HERE, *others)))


def follow(look: Callable[[str], object]) -> None:
    """Show the arguments of every process that this one begins, and hand on to it, whatever environment it is given."""

    def begun(event: str, details: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen":
            _, words, _, env = details
            look("\0".join(map(os.fsdecode, words)) + "\n")
            if env is not None:
                hand_on(env)

    sys.addaudithook(begun)


if FOLDER and not _NOT_OURS:
    draw_canaries(HEAD)
    if "CANARY_QUIET" not in os.environ:
        be_loud()
    said = open(f"{FOLDER}/{os.getpid()}", "a", buffering=1, encoding="utf-8", errors="replace")  # noqa: PTH123, SIM115 - a program starts faster without pathlib; open for as long as it lives
    # a Lambda of the embedded AWS answers on its stdout, to whoever asked, and logs on stderr
    for stream in (sys.stderr,) if _LAMBDA else (sys.stdout, sys.stderr):
        copy_to(said, stream)
    follow(said.write)
