"""The simulator over its sockets: login page, ticker protocol, limits, controls."""

import hashlib
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp

from tests.integration.simulator.client import INFY, MESSAGE_TIMEOUT, NIFTY, RELIANCE, client, rejected
from tools.simulator import Simulator
from tools.simulator.packets import Tally
from tools.simulator.panel import NAMES


async def test_a_login_by_the_page(http: aiohttp.ClientSession, sim: Simulator) -> None:
    """The browser comes back with a request token and what the app asked to get back."""
    sim.app("http://127.0.0.1:1/callback?kept=1")
    url = f"{sim.rest_root}/connect/login"
    query = {"v": "3", "api_key": sim.accounts.api_key, "redirect_params": "state=a%26b&more=2"}
    async with http.get(url, params=query) as answer:
        assert answer.status == 200
        assert 'name="totp"' in await answer.text()
    fields = {"user_id": "AB1234", "password": "any", "totp": "000000", "do": "login"}
    async with http.post(url, params=query, data=fields, allow_redirects=False) as answer:
        assert answer.status == 302
        back = parse_qs(urlsplit(answer.headers["Location"]).query)
    request_token = back.pop("request_token")[0]
    wanted = {
        "kept": ["1"],
        "action": ["login"],
        "type": ["login"],
        "status": ["success"],
        "state": ["a&b"],
        "more": ["2"],
    }
    assert back == wanted
    proof = hashlib.sha256(f"{sim.accounts.api_key}{request_token}{sim.accounts.api_secret}".encode()).hexdigest()
    exchange = {"api_key": sim.accounts.api_key, "request_token": request_token, "checksum": proof}
    async with http.post(f"{sim.rest_root}/session/token", data=exchange) as answer:
        assert (await answer.json())["data"]["user_id"] == "AB1234"


async def test_the_login_page_refuses_gaps_and_cancels(http: aiohttp.ClientSession, sim: Simulator) -> None:
    """An empty TOTP stays on the page; Cancel goes back without a request token; another app gets no page."""
    url = f"{sim.rest_root}/connect/login"
    query = {"v": "3", "api_key": sim.accounts.api_key, "redirect_params": "state=x"}
    async with http.post(url, params=query, data={"user_id": "A<b>", "password": "p", "do": "login"}) as answer:
        assert (answer.status, "Please fill in: TOTP." in (body := await answer.text())) == (400, True)
        assert "A<b>" not in body
    async with http.post(url, params=query, data={"do": "cancel"}, allow_redirects=False) as answer:
        back = parse_qs(urlsplit(answer.headers["Location"]).query)
        assert back == {"action": ["login"], "status": ["cancelled"], "state": ["x"]}
    async with http.get(url, params=query | {"api_key": "other"}) as answer:
        assert answer.status == 400
    assert sim.state()["counts"]["logins"] == {"cancelled": 1}


async def test_the_first_packet_comes_at_once(http: aiohttp.ClientSession, sim: Simulator) -> None:
    """Cached on subscribe, in quote mode; again in the new mode; then only when the market moves."""
    async with client(http, sim, sim.mint()["access_token"]) as one:
        await one.say("subscribe", [RELIANCE, NIFTY, 12345])
        assert [len(packet) for packet in await one.packets()] == [44, 28]
        await one.say("mode", ["full", [RELIANCE, INFY]])
        assert [len(packet) for packet in await one.packets()] == [184]
        sim.step()
        assert sorted(len(packet) for packet in await one.packets()) == [28, 184]
        await one.say("unsubscribe", [NIFTY])
        await one.say("mode", ["ltp", [RELIANCE]])
        assert [len(packet) for packet in await one.packets()] == [8]
        sim.step()
        assert [len(packet) for packet in await one.packets()] == [8]


async def test_two_sockets_get_the_same_market(http: aiohttp.ClientSession, sim: Simulator) -> None:
    """An update is one event, whoever hears it; and it happens though nobody listens."""
    token = sim.mint()["access_token"]
    tally = Tally()
    async with client(http, sim, token) as one:
        await one.say("subscribe", [RELIANCE])
        for packet in await one.packets():
            tally.packet(packet)
    sim.step(7)
    async with client(http, sim, token) as one, client(http, sim, token) as two:
        for each in (one, two):
            await each.say("subscribe", [RELIANCE])
            cached = await each.packets()
        sim.step()
        moved = await one.packets()
        assert moved == await two.packets()
    for packet in cached + moved:
        tally.packet(packet)
    assert (tally.lost, tally.duplicates) == (6, 0)


async def test_a_bad_token_is_refused_in_the_handshake(http: aiohttp.ClientSession, sim: Simulator) -> None:
    """Never issued, of an earlier login, expired, flushed: 403 each, and noted with its generation."""
    first = sim.mint()["access_token"]
    second = sim.mint()["access_token"]
    assert [await rejected(http, sim, token) for token in ("never", first)] == [403, 403]
    sim.expire()
    assert await rejected(http, sim, second) == 403
    third = sim.mint()["access_token"]
    sim.flush()
    assert await rejected(http, sim, third) == 403
    state = sim.state()
    assert [dial["generation"] for dial in state["dials"]] == [None, 1, 2, 3]
    assert state["counts"]["dials"] == {"403": 4}
    assert not any(token in json.dumps(state) for token in (first, second, third))


async def test_an_open_socket_outlives_its_token(http: aiohttp.ClientSession, sim: Simulator) -> None:
    """As staff say of Kite; unless told to fall silent, or to die."""
    async with client(http, sim, sim.mint()["access_token"]) as one:
        await one.say("subscribe", [RELIANCE])
        await one.packets()
        sim.mint()
        sim.step()
        await one.packets()
        sim.expire(1, sockets="mute")
        sim.step()
        message = await one.socket.receive(MESSAGE_TIMEOUT)
        assert message.data == b"\x00"
        sim.old_socket("dies")
        sim.mint()
        assert await one.ending() is aiohttp.WSMsgType.CLOSED


async def test_the_limits(http: aiohttp.ClientSession, sim: Simulator) -> None:
    """3000 instruments per socket, three sockets; a refusal disturbs nothing."""
    token = sim.mint()["access_token"]
    tokens = list(sim.market.catalog.by_token)[:3001]
    async with client(http, sim, token) as one, client(http, sim, token), client(http, sim, token):
        await one.say("subscribe", tokens)
        assert (await one.text())["type"] == "error"
        await one.say("mode", ["ltp", tokens])
        assert sim.ticker.connections[1].modes.keys() == set(tokens[:3000])
        assert await rejected(http, sim, token) == 429
        assert len(sim.state()["sockets"]) == 3
        sim.settings.fourth_socket = "drop-oldest"
        async with client(http, sim, token) as fourth:
            assert await one.ending() is aiohttp.WSMsgType.CLOSED
            await fourth.say("subscribe", [RELIANCE])
            assert await fourth.packets()


async def test_nonsense_is_answered_with_an_error(http: aiohttp.ClientSession, sim: Simulator) -> None:
    """And the socket stays."""
    nonsense = ["", "[]", "{", '{"a": "subscribe"}', '{"a": "mode", "v": ["best", [1]]}', '{"a": "x", "v": []}']
    async with client(http, sim, sim.mint()["access_token"]) as one:
        for text in [*nonsense, '{"a": "subscribe", "v": "x"}', "null", "[" * 5000]:
            await one.socket.send_str(text)
            assert await one.text() == {"type": "error", "data": "Invalid message"}


async def test_texts(http: aiohttp.ClientSession, sim: Simulator) -> None:
    """Orders count up; errors and messages say what they were told."""
    async with client(http, sim, sim.mint()["access_token"]) as one:
        sim.order()
        sim.order("REJECTED")
        sim.text("boo", kind="error")
        assert [(await one.text())["data"]["order_id"] for _ in range(2)] == ["1", "2"]
        assert await one.text() == {"type": "error", "data": "boo"}


async def test_the_market_moves_at_its_pace(http: aiohttp.ClientSession, sim: Simulator) -> None:
    """Every message has every instrument if each moves as often as messages come."""
    tally = Tally()
    async with client(http, sim, sim.mint()["access_token"]) as one:
        await one.say("subscribe", [RELIANCE, NIFTY])
        await one.packets()
        sim.pace(updates=100, frames=100)
        for _ in range(20):
            packets = await one.packets()
            assert len(packets) == 2
            for packet in packets:
                tally.packet(packet)
    assert (tally.lost, tally.duplicates) == (0, 0)


async def test_every_control_is_served(http: aiohttp.ClientSession, sim: Simulator) -> None:
    """With its help; a wrong name, argument or type is refused by its name."""
    async with http.get(f"{sim.control_root}/") as answer:
        listing = await answer.json()
    assert listing.keys() == {name.replace("_", "-") for name in NAMES}
    assert all(entry["does"] for entry in listing.values())
    wrong: list[tuple[str, Any, int, str]] = [
        ("nothing", {}, 404, "nothing"),
        ("stall", {"sockets": 1}, 400, "sockets"),
        ("stall", {"new": "yes"}, 400, "new"),
        ("old-socket", {}, 400, "mode"),
        ("old-socket", {"mode": "sleeps"}, 400, "survives | dies"),
        ("malformed", {"kind": "odd"}, 400, "truncated"),
        ("pace", {"updates": 3, "frames": 1}, 400, "frames"),
        ("order", {"symbol": "NONE"}, 400, "NONE"),
        ("state", [], 400, "object"),
    ]
    for name, body, status, word in wrong:
        async with http.post(f"{sim.control_root}/{name}", json=body) as answer:
            assert (answer.status, word in (await answer.json())["error"]) == (status, True)
    async with http.post(f"{sim.control_root}/mint", json={"user_id": "XY1"}) as answer:
        assert (await answer.json())["generation"] == 1
    async with http.get(f"{sim.control_root}/state") as answer:
        assert (await answer.json())["tokens"][0]["user_id"] == "XY1"
    async with http.get(f"{sim.rest_root}/") as answer:
        assert "A simulated Kite" in await answer.text()
