"""The dashboard in a real Chromium, over the real status function and a real relay, in every weather."""

import math
import os
import re
from typing import Any

import pytest
from playwright.sync_api import Browser

from kite_relay.domain.records import TokenCheck
from tests.browser.chromium import DESKTOP, PHONE, Visit, visit
from tests.browser.weather import BANK, INFY, NIFTY, SENSEX, Weather

pytestmark = pytest.mark.browser
LOOKS = [(PHONE, "light"), (PHONE, "dark"), (DESKTOP, "light"), (DESKTOP, "dark")]


def come(tab: Visit, weather: Weather, *, owner: bool = True) -> None:
    """Open the dashboard, as its owner or as a stranger."""
    if owner:
        tab.page.context.add_cookies(weather.cookies())
    tab.page.goto(f"{weather.page}/")
    tab.wait(lambda: "Looking" not in tab.text("#tone"), "the first news")


def live(tab: Visit, weather: Weather) -> None:
    """Come as the owner and wait for prices."""
    come(tab, weather)
    tab.wait(lambda: {NIFTY, BANK, SENSEX} <= weather.wanted(), "the subscription to what the worker holds")
    weather.tick({NIFTY: 26112.35, BANK: 58899.25, SENSEX: 1085231.05})
    tab.wait_for("#prices", "26,112.35")


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_a_good_morning(chromium: Browser, weather: Weather, size: tuple[int, int], scheme: str) -> None:
    """Verdict, market, prices in India's grouping, timeline, programs and versions; the login stands by, quietly."""
    with visit(chromium, weather.origins, size=size, scheme=scheme) as tab:
        live(tab, weather)
        assert "Live" in tab.text("#verdict")
        assert "10,85,231.05" in tab.text("#prices")
        assert "▲ 0.50 %" in tab.text("#prices")
        assert "Token stored" in tab.text("#timeline")
        assert "ai_analysis" in tab.text("#clients")
        assert "worker" in tab.text("#versions")
        assert tab.text("#login") == "Log in again"
        assert tab.page.locator("#login.calm").is_visible()
        assert "ends in" in tab.text("#market")
        tab.check()
        for step in range(40 if "SCREENSHOTS" in os.environ else 0):
            moved = 1 + 0.0004 * math.sin(step / 5) + 0.00002 * step
            weather.tick({NIFTY: 26112.35 * moved, BANK: 58899.25 * (2 - moved), SENSEX: 85231.05 * moved})
            tab.page.wait_for_timeout(400)
        tab.shoot(f"dashboard-{'phone' if size == PHONE else 'desktop'}-{scheme}")


def test_verdict_button_and_market_are_above_the_fold(chromium: Browser, weather: Weather) -> None:
    """On the smallest phone nobody scrolls to learn that they must log in, or when the market opens."""
    weather.world.clock.jump(weather.world.clock.now().replace(hour=8, minute=45))
    weather.world.tell(TokenCheck(7, rejected_at=weather.world.clock.now()))
    with visit(chromium, weather.origins) as tab:
        come(tab, weather, owner=False)
        assert tab.page.locator("#login").is_visible()
        assert "Log in:" not in tab.text("body"), "the button says it already"
        for selector in ("#verdict", "#login", "#market"):
            box = tab.page.locator(selector).bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= PHONE[1], selector
        tab.check()


def test_a_new_phone_can_log_in_on_a_holiday_too(chromium: Browser, weather: Weather) -> None:
    """Nothing is urgent, and nobody is known here yet: the way in is there all the same."""
    weather.world.clock.jump(weather.world.clock.now().replace(day=24, hour=13))
    with visit(chromium, weather.origins) as tab:
        come(tab, weather, owner=False)
        tab.wait_for("#holiday", "Guru Nanak")
        assert tab.text("#login") == "Log in to Zerodha"
        assert tab.page.locator("#login.calm").is_visible()
        tab.check()


def test_a_stranger_learns_nothing_more(chromium: Browser, weather: Weather) -> None:
    """Verdict, expiry and market; no price, no program, no timeline, no socket."""
    with visit(chromium, weather.origins) as tab:
        sockets: list[str] = []
        tab.page.on("websocket", lambda socket: sockets.append(socket.url))
        come(tab, weather, owner=False)
        tab.wait_for("#market", "Open")
        shown = tab.text("body")
        for secret in ("ai_analysis", "Token stored", "NIFTY", "Connected programs"):
            assert secret not in shown
        assert sockets == []
        tab.check()


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_night_and_holiday_say_so(chromium: Browser, weather: Weather, size: tuple[int, int]) -> None:
    """After close last prices are shown as such, and not as stale; a holiday has its name."""
    evening = weather.world.clock.now().replace(day=24, hour=20)
    weather.world.clock.jump(evening)
    weather.world.beat()
    weather.stop_relay()
    weather.start_relay()
    weather._services.relay_url = f"ws://localhost:{weather.relay.relay.port}"
    with visit(chromium, weather.origins, size=size) as tab:
        come(tab, weather)
        tab.wait(lambda: NIFTY in weather.wanted(), "the subscription")
        weather.tick({NIFTY: 26000.0}, at=evening.replace(day=23, hour=15, minute=29).timestamp())
        tab.wait_for("#prices", "26,000.00")
        tab.wait_for("#prices", "Mon 15:29")
        assert "Guru Nanak" in tab.text("#holiday")
        assert "Last prices: the market is closed" in tab.text("#feed")
        assert tab.page.locator("tr[data-age=closed]").count() == 1
        tab.check()


def test_old_prices_turn_grey_and_then_are_struck(chromium: Browser, weather: Weather) -> None:
    """In an open market a price that does not move any more says so by words and by a line through it."""
    with visit(chromium, weather.origins) as tab:
        live(tab, weather)
        row = tab.page.locator(f"tr[data-token='{NIFTY}']")
        tab.wait(lambda: row.get_attribute("data-age") == "fresh", "fresh")
        weather.tick({NIFTY: 26112.35}, at=weather.world.clock.now().timestamp() - 15)
        tab.wait(lambda: row.get_attribute("data-age") == "grey", "grey")
        weather.tick({NIFTY: 26112.35}, at=weather.world.clock.now().timestamp() - 45)
        tab.wait(lambda: row.get_attribute("data-age") == "struck", "struck")
        assert "line-through" in str(row.locator(".price").evaluate("it => getComputedStyle(it).textDecorationLine"))
        assert re.search(r"4\d s", row.inner_text())


def test_a_silent_worker_is_the_headline_and_nothing_of_its_own_stays_green(
    chromium: Browser, weather: Weather
) -> None:
    """What is wrong and what to do stand in large, once; what the worker said last is dated."""
    with visit(chromium, weather.origins) as tab:
        live(tab, weather)
        assert tab.text("#clients-title") == "Connected programs"
        said_at = weather.world.clock.now()
        weather.world.clock.advance(95)
        tab.wait_for("#verdict", "The worker's last heartbeat is 9")
        assert "wait a minute" in tab.text("#detail")
        assert tab.text("body").count("wait a minute") == 1
        assert tab.text("#clients-title") == f"Connected programs at {said_at:%H:%M}"
        assert tab.page.locator("#clients .dot.live").count() == 0
        tab.check()


def test_ticks_that_flow_do_not_hide_what_is_to_be_done(chromium: Browser, weather: Weather) -> None:
    """The headline names the trouble, the mending stands beneath it, once; and aloud no sentence ends twice."""
    with visit(chromium, weather.origins) as tab:
        live(tab, weather)
        weather.world.beat(clock_skew_seconds=-47.0)
        tab.wait_for("#verdict", "Ticks are flowing, but: The worker's clock is off by 47 seconds.")
        assert "timedatectl" in tab.text("#detail")
        assert tab.text("body").count("timedatectl") == 1
        said = tab.page.locator("#said").text_content()
        assert said == "Ticks are flowing, but: The worker's clock is off by 47 seconds."
        tab.check()


def test_a_quiet_share_is_not_struck_while_it_may_be_in_the_closing_auction(
    chromium: Browser, weather: Weather
) -> None:
    """From 15:15 shares with futures do not trade on: the page says so, and calls no share's price wrong."""
    weather.world.clock.jump(weather.world.clock.now().replace(hour=15, minute=22))
    weather.world.beat()
    with visit(chromium, weather.origins) as tab:
        live(tab, weather)
        tab.wait_for("#market", "Auction")
        tab.wait_for("#feed", "F&O shares in auction")
        tab.page.locator("#search").fill("infy")
        tab.wait_for("#found", "INFY")
        tab.page.keyboard.press("Enter")
        tab.wait(lambda: INFY in weather.wanted(), "the subscription")
        weather.tick({INFY: 1500.0, NIFTY: 26112.35}, at=weather.world.clock.now().timestamp() - 45)
        ages = {token: tab.page.locator(f"tr[data-token='{token}']") for token in (INFY, NIFTY)}
        tab.wait(lambda: ages[NIFTY].get_attribute("data-age") == "struck", "an index is not in it")
        assert ages[INFY].get_attribute("data-age") == "grey"
        tab.check()


def test_search_adds_and_the_list_is_remembered(chromium: Browser, weather: Weather) -> None:
    """By keyboard alone: type, Enter, there it is; and again after a reload; and gone when removed."""
    with visit(chromium, weather.origins) as tab:
        live(tab, weather)
        tab.page.keyboard.press("Tab")
        tab.page.locator("#search").focus()
        tab.page.keyboard.type("infy")
        tab.wait_for("#found", "INFY")
        tab.check()
        tab.page.keyboard.press("Enter")
        tab.wait_for("#prices", "INFY")
        tab.wait(lambda: INFY in weather.wanted(), "the new subscription")
        tab.page.reload()
        tab.wait_for("#prices", "INFY")
        tab.wait(lambda: INFY in weather.wanted(), "the remembered subscription")
        tab.page.get_by_label("Remove INFY").click()
        tab.wait(lambda: INFY not in weather.wanted(), "the end of the subscription")
        tab.check()


def test_a_restarted_relay_is_found_again_and_the_gap_is_told(chromium: Browser, weather: Weather) -> None:
    """The page says since when prices are stale, keeps looking, and resumes without a reload."""
    with visit(chromium, weather.origins) as tab:
        live(tab, weather)
        port = weather.relay.relay.port
        weather.stop_relay()
        tab.wait_for("body", "Prices are stale since", 12)
        assert "line-through" in str(
            tab.page.locator(".price").first.evaluate("it => getComputedStyle(it).textDecorationLine")
        )
        weather.start_relay(port)
        tab.wait(lambda: NIFTY in weather.wanted(), "the subscription at the new relay", 25)
        weather.tick({NIFTY: 26200.0})
        tab.wait_for("#prices", "26,200.00")
        tab.wait(lambda: not tab.page.locator("#stale").is_visible(), "the end of the warning")
        tab.check()


def test_without_a_relay_the_page_says_why_there_are_no_prices(chromium: Browser, weather: Weather) -> None:
    """And asks for a ticket once, however often it hears news."""
    asked: list[str] = []
    weather._services.relay_url = ""
    with visit(chromium, weather.origins) as tab:
        tab.page.on("request", lambda request: asked.append(request.url) if "feed-ticket" in request.url else None)
        tab.page.clock.install()
        come(tab, weather)
        tab.wait_for("#empty", "No live prices: this stack has no relay for the dashboard: set RelayUrl.")
        for _ in range(3):
            with tab.page.expect_response("**/api/health/detailed"):
                tab.page.clock.run_for(5000)
        assert len(asked) == 1
        tab.check()


def test_without_its_server_the_page_says_since_when_it_is_stale(chromium: Browser, weather: Weather) -> None:
    """A green page that nobody answers is a lie: it covers itself, and recovers by itself."""
    with visit(chromium, weather.origins) as tab:
        come(tab, weather, owner=False)
        tab.page.clock.install()
        tab.page.route("**/api/**", lambda route: route.abort())
        for _ in range(6):
            tab.page.clock.run_for(5000)
            tab.page.wait_for_timeout(50)
        tab.wait_for("#stale", "This page is stale since")
        tab.page.unroute_all()
        for _ in range(3):
            tab.page.clock.run_for(5000)
            tab.page.wait_for_timeout(200)
        tab.wait(lambda: not tab.page.locator("#stale").is_visible(), "the end of the warning")


def test_the_verdict_is_announced_once_and_prices_never(chromium: Browser, weather: Weather) -> None:
    """One live region, which changes with the verdict only."""
    with visit(chromium, weather.origins) as tab:
        live(tab, weather)
        assert tab.page.locator("[aria-live]").evaluate_all("all => all.map(it => it.id)") == ["said"]
        tab.page.evaluate(
            "() => { window.said = 0; new MutationObserver(() => { window.said += 1 })"
            ".observe(document.getElementById('said'), {childList: true, characterData: true, subtree: true}) }"
        )
        for step in range(5):
            weather.tick({NIFTY: 26100.0 + step})
            tab.page.wait_for_timeout(300)
        assert tab.page.evaluate("window.said") == 0
        weather.world.tell(TokenCheck(7, rejected_at=weather.world.clock.now()))
        weather.world.beat(connected=False)
        tab.wait(lambda: tab.page.evaluate("window.said") == 1, "the announcement")


def test_nothing_secret_is_kept_in_the_browser(chromium: Browser, weather: Weather) -> None:
    """The watch list is all that is stored, and scripts cannot read the session."""
    with visit(chromium, weather.origins) as tab:
        live(tab, weather)
        assert tab.page.evaluate("document.cookie") == ""
        kept: dict[str, Any] = tab.page.evaluate("({...localStorage, ...sessionStorage})")
        assert set(kept) <= {"kite-relay.watch"}


def test_the_first_view_is_light(chromium: Browser, weather: Weather) -> None:
    """At most 60 kB over the wire, icons and first answers included."""
    with visit(chromium, weather.origins) as tab:
        session = tab.page.context.new_cdp_session(tab.page)
        session.send("Network.enable")
        sizes: list[int] = []
        session.on("Network.loadingFinished", lambda it: sizes.append(it["encodedDataLength"]))
        live(tab, weather)
        assert len(sizes) >= 12
        assert sum(sizes) <= 60_000, sum(sizes)


def test_it_can_be_installed(chromium: Browser, weather: Weather) -> None:
    """Chromium itself finds no fault with the manifest."""
    with visit(chromium, weather.origins) as tab:
        come(tab, weather, owner=False)
        session = tab.page.context.new_cdp_session(tab.page)
        manifest = session.send("Page.getAppManifest")
        assert manifest["errors"] == []
        faults = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
        assert [it["errorId"] for it in faults if it["errorId"] != "in-incognito"] == []
