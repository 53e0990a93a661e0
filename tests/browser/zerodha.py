"""What a person does at the simulated Zerodha, and waits for afterwards."""

from tests.browser.chromium import Visit


def log_in(tab: Visit, user_id: str) -> None:
    """Fill in Zerodha's form and come back to the result page."""
    tab.page.get_by_role("textbox").first.fill(user_id)
    for box in tab.page.locator("input[type=password], input[name=totp], input[name=password]").all():
        box.fill("000000")
    tab.page.locator("button[value=login], button[type=submit], input[type=submit]").first.click()
    tab.wait_for("h1", "You are logged in", 30)


def first_price(tab: Visit) -> str:
    """Read the first price of the table."""
    return tab.page.locator("#prices .price").first.inner_text()


def moving(tab: Visit) -> None:
    """Wait until prices are there, and then until they change."""
    tab.wait(lambda: any(c.isdigit() for c in first_price(tab)), "a first price", 30)
    was = first_price(tab)
    tab.wait(lambda: first_price(tab) != was, "a price that moves", 30)
