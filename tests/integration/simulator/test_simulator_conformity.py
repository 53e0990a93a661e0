"""The official client takes the simulator for Kite: REST and ticker, nothing changed but `root`."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.simulator import Simulator

PROGRAM = Path(__file__).with_name("official_client.py")
RELIANCE, INFY, NIFTY = 738561, 408065, 256265


async def official(sim: Simulator, **task: str) -> dict[str, Any]:
    """Run the official client; gives what it found."""
    task |= {"rest_root": sim.rest_root, "ticker_root": sim.ticker_root}
    task |= {"api_key": sim.accounts.api_key, "api_secret": sim.accounts.api_secret}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, PROGRAM, stdin=pipe, stdout=pipe, stderr=pipe)
    output, errors = await process.communicate(json.dumps(task).encode())
    assert process.returncode == 0, errors.decode()
    return dict(json.loads(output))


async def test_the_official_rest_client() -> None:
    """Login, profile, instruments, prices, logout, and each refusal in Kite's words."""
    async with Simulator(updates=0) as sim:
        found = await official(sim, do="rest", request_token=sim.login("AB1234")["request_token"])
        login_time = sim.accounts.sessions[0].minted_at
    published = "access_token api_key avatar_url broker email enctoken exchanges login_time meta order_types products"
    published += " public_token refresh_token silo user_id user_name user_shortname user_type"
    assert found["session_keys"] == published.split()
    assert found["login_time"] == login_time.strftime("%Y-%m-%dT%H:%M:%S")
    assert found["profile"].items() <= found["session"].items()
    assert found["profile"]["user_id"] == "AB1234"
    assert found["instruments"].items() >= {"NIFTY 50": NIFTY, "RELIANCE": RELIANCE, "INFY": INFY}.items()
    assert found["exchanges"] == sorted(["NSE", "BSE", "NFO", "BFO", "CDS", "BCD", "MCX", "NCO"])
    assert found["ltp"].keys() == found["ohlc"].keys() == {"NSE:INFY"}
    assert found["ohlc"]["NSE:INFY"]["ohlc"].keys() == {"open", "high", "low", "close"}
    assert found["spent"] == ["TokenException", 403, "Token is invalid or has expired."]
    assert found["checksum"] == ["TokenException", 403, "Invalid `checksum`."]
    assert found["empty"][:2] == ["InputException", 400]
    assert found["unknown"][:2] == ["GeneralException", 404]
    assert found["logout"] is True
    assert found["dead"] == ["TokenException", 403, "Incorrect `api_key` or `access_token`."]


async def test_the_official_ticker() -> None:
    """Ticks in every mode, order updates, errors, heartbeats; and a 403 where a token was never issued."""
    async with Simulator(updates=10, frames=20, heartbeat=0.1) as sim:
        running = asyncio.ensure_future(official(sim, do="ticker", access_token=sim.mint()["access_token"]))
        while not running.done():
            sim.order()
            sim.text("a text of Kite's", kind="error")
            await asyncio.wait({running}, timeout=0.1)
        found = await running
    ticks = {(tick["instrument_token"], tick["mode"]): tick for tick in found["ticks"]}
    assert ticks.keys() >= {(RELIANCE, "quote"), (RELIANCE, "full"), (INFY, "ltp"), (NIFTY, "full")}
    full = ticks[RELIANCE, "full"]
    assert full["tradable"] is True
    assert [offer["price"] < full["last_price"] for offer in full["depth"]["buy"]] == [True] * 5
    assert ticks[NIFTY, "full"]["tradable"] is False
    assert found["orders"][0]["tradingsymbol"] == "SBIN"
    assert [0, "a text of Kite's"] in found["errors"]
    assert found["meta"][0]["type"] == "instruments_meta"
    assert found["heartbeats"] > 0
    assert found["refused"][0] == 1006
    assert "403" in found["refused"][1]


def test_the_official_parser_reads_the_walks(at_scale: Callable[[int, int], int]) -> None:
    """Every segment and mode, by the official client and by ours: the same, and at the market's own prices."""
    command = [sys.executable, "-m", "tests.integration.simulator.official_walk", "7", str(at_scale(8, 200))]
    done = subprocess.run(command, cwd=PROGRAM.parents[3], capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert done.returncode == 0, done.stdout + done.stderr
    assert "of 9 segments, 0 differences" in done.stdout
