"""Render the truth table and the list of findings from the code: `python -m tools.truth_table`."""

from collections.abc import Iterator
from pathlib import Path

from kite_relay.domain.health import Status
from kite_relay.domain.status_findings import KINDS
from tools.marks import put_between
from tools.truth_table.cells import CLOCKS, MOMENTS, TOKENS, WORKERS, Cell, cell, cells, possible

DOCS = Path(__file__).parents[2] / "docs"
RIGHT, WRONG = CLOCKS
HEAD = """# The status's truth table

Written by `make truth-table` from the code; a test compares it with the code, and every cell with what a person expects
of it (`tests/unit/test_status_truth.py`). How the status decides is in [status.md](status.md).

Every table is one moment. A row is how the token came to be (and what that makes of it), a column is how the worker and
its feed are:

{legend}

A cell is the status in one word, and the number of the next action below the table. A dash is what cannot be: where
there never was a token, no worker is connected.

All of it is for a worker whose clock is right. {wrong}

{count} cells in all.
"""


def render() -> str:
    """Give the whole document."""
    legend = "\n".join(f"- **{letter}**: {worker}" for letter, worker in zip("abcdefghi", WORKERS, strict=True))
    head = HEAD.format(legend=legend, wrong=_wrong_clock(), count=sum(1 for _ in cells()))
    return head + "".join(_moment(moment) for moment in MOMENTS)


def _wrong_clock() -> str:
    """Say what a wrong clock changes, after having looked at every cell."""
    changed = {
        (right.health.status, wrong.health.status)
        for right in cells()
        if right.clock == RIGHT
        for wrong in [cell(right.moment, right.token, right.worker, WRONG)]
        if right.health.status is not wrong.health.status
    }
    moves = ", ".join(f"{before} becomes {after}" for before, after in sorted(changed))
    return f"With a clock that is {WRONG}, {moves}; every other cell stays as it is."


def _moment(moment: str) -> str:
    actions: dict[str, int] = {}
    rows = [_row(moment, token, actions) for token in TOKENS]
    notes = [f"{number}. {action}" for action, number in actions.items()]
    head = "| token | | " + " | ".join("abcdefghi") + " |\n|---|---|" + "---|" * len(WORKERS)
    return f"\n## {moment}\n\n" + "\n".join([head, *rows]) + "\n\n" + "\n".join(notes) + "\n"


def _row(moment: str, token: str, actions: dict[str, int]) -> str:
    status = cell(moment, token, "not connected", RIGHT).health.token.status
    row = [_word(cell(moment, token, worker, RIGHT), actions) if possible(token, worker) else "-" for worker in WORKERS]
    return f"| {token} | {status} | " + " | ".join(row) + " |"


def _word(found: Cell, actions: dict[str, int]) -> str:
    number = actions.setdefault(found.health.next_action, len(actions) + 1)
    word = str(found.health.status)
    return f"{word} {number}" if found.health.status.fine else f"**{word}** {number}"


def findings() -> str:
    """Give the table of every finding."""
    lines = ["| code | severity | what it says | what to do | hides |", "|---|---|---|---|---|", *_findings()]
    return "\n".join(lines)


def _findings() -> Iterator[str]:
    for code, kind in KINDS.items():
        title = kind.title.replace("{detail}", "…")
        hides = ", ".join(f"`{below}`" for below in kind.hides)
        yield f"| `{code}` | {kind.severity} | {title} | {kind.fix} | {hides} |"


def with_findings(document: str) -> str:
    """Put the table of findings between its marks."""
    return put_between(document, "findings", findings())


def main() -> None:
    """Write both documents."""
    (DOCS / "truth-table.md").write_text(render(), encoding="utf-8")
    status = DOCS / "status.md"
    status.write_text(with_findings(status.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"{DOCS / 'truth-table.md'}: {len(MOMENTS)} moments, statuses {', '.join(Status)}")


if __name__ == "__main__":
    main()
