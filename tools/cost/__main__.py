"""`make cost`: compute the bill from the template, and write it between the marks of docs/cost.md."""

import sys
from pathlib import Path

from cfnlint.decode import cfn_yaml

from tools.cost.bill import Traffic, bill, render
from tools.marks import put_between

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "cost.md"


def refreshed(text: str) -> str:
    """Give the document with today's bill."""
    return put_between(text, "bill", render(bill(cfn_yaml.load(str(ROOT / "template.yaml")), Traffic())))


if __name__ == "__main__":
    DOCUMENT.write_text(refreshed(DOCUMENT.read_text()))
    sys.stdout.write(DOCUMENT.read_text())
