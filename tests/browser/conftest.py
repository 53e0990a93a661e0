"""Pages in a real Chromium."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.chromium import launch
from tests.browser.weather import Weather


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Start Chromium for one module: its driver's event loop would be in the way of other tests'."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def weather() -> Iterator[Weather]:
    """Serve the real status function and a real relay over a world that the test rules."""
    with Weather() as given:
        yield given
