"""What the tests of the documents read them with: sections, headings, links, and the commands that are shown."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def every_document() -> list[Path]:
    """List all documents of the project."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def section(path: Path, heading: str) -> str:
    """Give what stands under a heading, up to the next one of its level or above."""
    text = path.read_text()
    found = re.search(rf"^(#+) {re.escape(heading)}$(.*?)(?=^#{{1,2}} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"{path.name} has no heading {heading!r}"
    return found[2]


def blocks(text: str) -> list[str]:
    """List the indented blocks: what a reader is to type."""
    found = re.findall(r"(?:^(?: {4}.*)?\n)*^ {4}.*$", text, re.MULTILINE)
    return ["\n".join(line[4:] for line in block.strip("\n").splitlines()) for block in found]


def code(text: str) -> Iterator[str]:
    """List all that is shown as code, in blocks and within lines."""
    for block in blocks(text):
        yield from block.splitlines()
    for fence in _FENCE.findall(text):
        yield from fence.splitlines()[1:-1]
    yield from re.findall(r"`([^`\n]+)`", _FENCE.sub("", text))


def links(text: str) -> list[str]:
    """List where a document points to within the project: `path`, `path#heading` or `#heading`."""
    found = re.findall(r"\]\(([^)\s]+)\)", _FENCE.sub("", text))
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def anchors(text: str) -> set[str]:
    """List the anchors of a document's headings, as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "", heading)).lower() for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}
