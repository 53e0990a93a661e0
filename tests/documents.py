"""What the tests of the documents read them with: sections and the commands that are shown."""

from pathlib import Path

ROOT = Path(__file__).parents[1]


def section(document: str, heading: str) -> str:
    """Give what stands under a heading, up to the next one of its level or above."""
    lines = iter((ROOT / document).read_text().splitlines())
    level = next(line for line in lines if line.lstrip("#") == f" {heading}").count("#", 0, 6)
    found = []
    for line in lines:
        marks = len(line) - len(line.lstrip("#"))
        if 0 < marks <= level and line[marks : marks + 1] == " ":
            break
        found.append(line)
    return "\n".join(found)


def blocks(text: str) -> list[str]:
    """List the indented blocks: what a reader is to type."""
    found: list[list[str]] = []
    inside = False
    for line in text.splitlines():
        if line.startswith("    "):
            if not inside:
                found.append([])
            found[-1].append(line[4:])
        inside = line.startswith("    ") or (inside and not line.strip())
    return ["\n".join(block) for block in found]
