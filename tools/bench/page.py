"""What the dashboard costs the phone: 200 instruments at 3 updates a second each, in Chromium, as CPU of one core.

The page, its scripts and a socket are served by this process; nothing of the product but the page is measured. Run it
as `make bench NAME=page`.
"""

import asyncio
import json
import os
import random
import shutil
import struct
import time
from pathlib import Path
from string import Template
from typing import Any

import psutil
from aiohttp import WSMsgType, web
from playwright.async_api import CDPSession, Page, async_playwright

WEB = Path(__file__).parents[2] / "functions" / "web"
INSTRUMENTS, UPDATES, FRAMES = 200, 3, 10
WARM_SECONDS, SECONDS, ROUNDS = 4.0, 8.0, 5
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
PHASE = {"status": "LIVE", "since": None, "until": None}
TOKENS = [(1000 + n) << 8 | 1 for n in range(INSTRUMENTS)]
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def health() -> dict[str, Any]:
    """Give what the status would say on a good morning."""
    return {
        "status": "healthy",
        "verdict": "Live: ticks are flowing.",
        "detail": "full",
        "next_action": "",
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
        "version": "bench",
        "findings": [],
        "timeline": [],
        "token_expiry": {"status": "VALID", "generation": 1},
        "worker": {"clients": [], "version": "bench", "generation": 1, "pulse": "fresh", "subscriptions": INSTRUMENTS},
        "market": {"holiday": None, "segments": dict.fromkeys(("cash", "cash_cas", "derivatives"), PHASE)},
    }


def frame(tokens: list[int]) -> bytes:
    """Make a frame of full packets, each with another price."""
    pieces = [struct.pack(">H", len(tokens))]
    for token in tokens:
        price = random.randrange(100_000, 200_000)  # noqa: S311 - a price, no secret
        head = struct.pack(">11I", token, price, 1, price, 1000, 1, 1, price, price, price, 150_000)
        tail = struct.pack(">5I", int(time.time()), 0, 0, 0, int(time.time()))
        pieces.append(struct.pack(">H", 184) + head + tail + bytes(120))
    return b"".join(pieces)


async def relay(request: web.Request) -> web.WebSocketResponse:
    """Send every instrument three times a second, in ten frames a second."""
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    sender = asyncio.create_task(_send(socket))
    async for message in socket:
        if message.type is WSMsgType.TEXT and json.loads(message.data)["a"] == "find":
            found = [{"token": token, "symbol": f"SHARE{token >> 8}"} for token in TOKENS]
            await socket.send_json({"type": "instruments", "data": {"query": "", "instruments": found}})
    sender.cancel()
    return socket


async def _send(socket: web.WebSocketResponse) -> None:
    size, place = INSTRUMENTS * UPDATES // FRAMES, 0
    while not socket.closed:
        await asyncio.sleep(1 / FRAMES)
        await socket.send_bytes(frame([TOKENS[(place + n) % INSTRUMENTS] for n in range(size)]))
        place = (place + size) % INSTRUMENTS


def application() -> web.Application:
    """Serve the page and what it asks for."""

    async def page(_: web.Request) -> web.Response:
        html = "".join((WEB / name).read_text() for name in ("head.html", "dashboard.html"))
        return web.Response(text=Template(html).substitute(static="/static"), content_type="text/html")

    async def static(request: web.Request) -> web.Response:
        path = WEB / "static" / Path(request.match_info["name"]).name
        return web.Response(body=path.read_bytes(), content_type=TYPES.get(path.suffix, "application/octet-stream"))

    async def ticket(request: web.Request) -> web.Response:
        return web.json_response({"ticket": "t", "url": f"ws://{request.host}/relay"})

    async def status(_: web.Request) -> web.Response:
        return web.json_response(health())

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/static/{name}", static)
    app.router.add_get("/api/health/detailed", status)
    app.router.add_post("/api/feed-ticket", ticket)
    app.router.add_get("/relay", relay)
    return app


def renderer() -> psutil.Process:
    """Find the page's own process among our Chromium's: the one that worked most."""
    ours = [it for it in psutil.Process().children(recursive=True) if "--type=renderer" in " ".join(it.cmdline())]
    return max(ours, key=lambda it: it.cpu_times().user)


async def measure(page: Page, cdp: CDPSession) -> dict[str, float]:
    """Measure one stretch: CPU of the page's process, and what its main thread did."""
    process = renderer()
    before, tasks, began = process.cpu_times(), await _metrics(cdp), time.monotonic()
    await page.wait_for_timeout(SECONDS * 1000)
    after, then, elapsed = process.cpu_times(), await _metrics(cdp), time.monotonic() - began
    cpu = after.user + after.system - before.user - before.system
    return {
        "renderer_cpu_percent": 100 * cpu / elapsed,
        "main_thread_percent": 100 * (then["TaskDuration"] - tasks["TaskDuration"]) / elapsed,
        "layouts_per_second": (then["LayoutCount"] - tasks["LayoutCount"]) / elapsed,
        "layout_percent": 100 * (then["LayoutDuration"] - tasks["LayoutDuration"]) / elapsed,
    }


async def _metrics(cdp: CDPSession) -> dict[str, float]:
    answer = await cdp.send("Performance.getMetrics")
    return {it["name"]: it["value"] for it in answer["metrics"]}


async def bench() -> dict[str, float]:
    """Run all rounds; give the median of each figure."""
    runner = web.AppRunner(application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = await browser.new_page(viewport={"width": 360, "height": 740})
        await page.goto(f"http://127.0.0.1:{port}/")
        await page.locator("#prices .price", has_text=".").first.wait_for()
        cdp = await page.context.new_cdp_session(page)
        await cdp.send("Performance.enable")
        await page.wait_for_timeout(WARM_SECONDS * 1000)
        rounds = [await measure(page, cdp) for _ in range(ROUNDS)]
        await browser.close()
    await runner.cleanup()
    return {name: round(sorted(it[name] for it in rounds)[ROUNDS // 2], 2) for name in rounds[0]}


def main() -> None:
    """Print a line per figure, and one line of JSON."""
    found = asyncio.run(bench())
    print(f"{INSTRUMENTS} instruments x {UPDATES}/s in Chromium, median of {ROUNDS} times {SECONDS:.0f} s (goal: 10 %)")
    for name, value in found.items():
        print(f"  {name:<22} {value:8.2f}")
    print(json.dumps({"instruments": INSTRUMENTS, "updates_per_second": UPDATES, **found}))


if __name__ == "__main__":
    main()
