"""`make cost`: compute the bill from the template, and write it between the marks of docs/cost.md."""

import sys
from pathlib import Path

from cfnlint.decode import cfn_yaml

from tools.cost.bill import Traffic, bill, render

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "cost.md"
BEGIN, END = "<!-- bill: begin -->\n", "<!-- bill: end -->\n"


def refreshed(text: str) -> str:
    """Give the document with today's bill."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return before + BEGIN + render(bill(cfn_yaml.load(str(ROOT / "template.yaml")), Traffic())) + END + after


if __name__ == "__main__":
    DOCUMENT.write_text(refreshed(DOCUMENT.read_text()))
    sys.stdout.write(DOCUMENT.read_text())
