"""Use the official client, REST and ticker, as its documentation has it; print what it made of the answers.

A program of its own: importing kiteconnect takes the process's reactor. Reads its task from stdin, as tokens do not
belong on a command line.
"""

import json
import sys
from typing import Any

from kiteconnect import KiteConnect, KiteTicker
from kiteconnect.exceptions import KiteException
from twisted.internet import reactor as installed_reactor

reactor: Any = installed_reactor

RELIANCE, INFY, NIFTY = 738561, 408065, 256265
TIME_LIMIT = 20


def refusal(call: Any, *arguments: Any) -> list[Any]:
    """Make a call that must fail; gives what the client raised."""
    try:
        call(*arguments)
    except KiteException as error:
        return [type(error).__name__, error.code, str(error)]
    return []


def rest(task: dict[str, str]) -> dict[str, Any]:
    """Log in, look around, log out."""
    kite = KiteConnect(task["api_key"], root=task["rest_root"])
    session = kite.generate_session(task["request_token"], task["api_secret"])
    found = {
        "session": {key: value for key, value in session.items() if "token" not in key and key != "login_time"},
        "session_keys": sorted(session),
        "login_time": session["login_time"].isoformat(),
        "profile": kite.profile(),
        "instruments": {line["tradingsymbol"]: line["instrument_token"] for line in kite.instruments("NSE")[:40]},
        "exchanges": sorted({line["exchange"] for line in kite.instruments()}),
        "ltp": kite.ltp("NSE:INFY", "NSE:NONE"),
        "ohlc": kite.ohlc(["NSE:INFY"]),
        "spent": refusal(kite.generate_session, task["request_token"], task["api_secret"]),
        "checksum": refusal(kite.generate_session, task["request_token"], "wrong"),
        "empty": refusal(kite.generate_session, "", task["api_secret"]),
        "unknown": refusal(kite.holdings),
    }
    found["logout"] = kite.invalidate_access_token()
    found["dead"] = refusal(kite.profile)
    return found


class Listener:
    """A ticker program, as the official documentation shows it."""

    def __init__(self, task: dict[str, str]) -> None:
        self.found: dict[str, Any] = {"ticks": [], "orders": [], "errors": [], "meta": [], "heartbeats": 0}
        self.bad = self.ticker(task, "never-issued", self.on_refused)
        self.good = self.ticker(task, task["access_token"], self.on_error)
        self.good.on_ticks = self.on_ticks
        self.good.on_message = self.on_message
        self.good.on_order_update = lambda _, order: self.found["orders"].append(order)
        self.good.on_connect = self.on_connect

    @staticmethod
    def ticker(task: dict[str, str], token: str, on_error: Any) -> KiteTicker:
        """Make a ticker."""
        ticker = KiteTicker(task["api_key"], token, root=task["ticker_root"], reconnect_max_tries=0)
        ticker.on_error = on_error
        return ticker

    def on_connect(self, ticker: KiteTicker, _response: Any) -> None:
        """Subscribe, as documented."""
        ticker.subscribe([RELIANCE, INFY, NIFTY])
        ticker.set_mode(ticker.MODE_FULL, [RELIANCE, NIFTY])
        ticker.set_mode(ticker.MODE_LTP, [INFY])

    def on_ticks(self, _ticker: KiteTicker, ticks: list[dict[str, Any]]) -> None:
        """Keep them."""
        self.found["ticks"] += ticks
        self.stop_if_done()

    def on_message(self, _ticker: KiteTicker, payload: bytes, is_binary: bool) -> None:
        """Count what on_ticks does not see."""
        if is_binary and len(payload) == 1:
            self.found["heartbeats"] += 1
        elif not is_binary and b"instruments_meta" in payload:
            self.found["meta"].append(json.loads(payload))
        self.stop_if_done()

    def on_error(self, _ticker: KiteTicker, code: int, reason: str) -> None:
        """Keep it."""
        self.found["errors"].append([code, str(reason)])

    def on_refused(self, _ticker: KiteTicker, code: int, reason: str) -> None:
        """Keep it, and try no more."""
        self.found["refused"] = [code, str(reason)]
        self.bad.stop_retry()

    def stop_if_done(self) -> None:
        """End when all that was to come has come."""
        found = self.found
        modes = {(tick["instrument_token"], tick["mode"]) for tick in found["ticks"]}
        wanted = {(RELIANCE, "full"), (INFY, "ltp"), (NIFTY, "full")}
        if modes >= wanted and found["orders"] and found["errors"] and found["heartbeats"] and "refused" in found:
            self.good.on_ticks = self.good.on_message = None
            reactor.callLater(0, reactor.stop)


def ticker(task: dict[str, str]) -> dict[str, Any]:
    """Listen until every kind of message has come."""
    listener = Listener(task)
    listener.bad.connect(threaded=True)
    reactor.callFromThread(listener.good.connect)
    reactor.callFromThread(reactor.callLater, TIME_LIMIT, reactor.stop)
    listener.bad.websocket_thread.join()
    return listener.found


if __name__ == "__main__":
    task = json.load(sys.stdin)
    json.dump((rest if task["do"] == "rest" else ticker)(task), sys.stdout, default=str)
