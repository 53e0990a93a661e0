"""The bill is right by its own arithmetic, and the page that shows it is today's."""

from cfnlint.decode import cfn_yaml

from tools.cost.__main__ import DOCUMENT, refreshed
from tools.cost.bill import Line, Traffic, bill, render


def test_only_what_exceeds_the_allowance_is_paid() -> None:
    """The free part comes off first, and never below nothing."""
    assert Line("x", 3e6, "requests", "", 1e6, 0.20, 1e6).dollars == 0.4
    assert Line("x", 10, "requests", "", 1e6, 0.20, 1e6).dollars == 0


def test_a_month_of_one_trader_costs_less_than_a_dollar() -> None:
    """The goal that the capacity, the memory and the number of alarms were chosen by."""
    template = cfn_yaml.load(str(DOCUMENT.parents[1] / "template.yaml"))
    assert sum(line.dollars for line in bill(template, Traffic())) < 1
    assert "Total" in render(bill(template, Traffic()))


def test_the_page_shows_todays_bill() -> None:
    """Whoever changes the template runs `make cost`."""
    assert refreshed(DOCUMENT.read_text()) == DOCUMENT.read_text()
