"""The house stays small enough for a newcomer: no long files, no long functions."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("core", "functions", "worker", "tools", "tests")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50


def sources() -> list[Path]:
    """List every Python file of ours."""
    return [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]


def test_no_lock_names_an_index() -> None:
    """Where a package comes from is the machine's setting; that it is the right one, the hashes say."""
    locks = [*ROOT.glob("requirements/*.txt"), *ROOT.glob("functions/*/requirements.txt")]
    assert locks
    assert [str(lock) for lock in locks if "://" in lock.read_text()] == []


def test_no_file_is_long() -> None:
    """A file past the limit holds two things: split it."""
    assert [str(p) for p in sources() if len(p.read_text().splitlines()) > MAX_FILE_LINES] == []


def test_no_function_is_long() -> None:
    """A function past the limit does two things: split it."""
    long = [
        f"{path}:{node.lineno} {node.name}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert long == []
