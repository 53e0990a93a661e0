"""The official Python client, unmodified: subscribes, prints each tick and what else happens, one JSON per line."""

import json
import os
import sys
from typing import Any

from kiteconnect import KiteTicker


def say(what: str, data: Any) -> None:
    """Print one event."""
    sys.stdout.write(json.dumps({"what": what, "data": data}) + "\n")
    sys.stdout.flush()


def on_connect(ticker: Any, _response: Any) -> None:
    """Subscribe."""
    say("connect", None)
    ticker.subscribe([408065, 256265])
    ticker.set_mode(ticker.MODE_FULL, [408065])


def on_ticks(_ticker: Any, ticks: list[dict[str, Any]]) -> None:
    """Print ticks."""
    for tick in ticks:
        say("tick", [tick["instrument_token"], tick["mode"], tick["last_price"]])


def main(root: str) -> None:
    """Run until killed."""
    ticker = KiteTicker("bot", os.environ["RELAY_KEY"], root=root)
    ticker.on_connect = on_connect
    ticker.on_ticks = on_ticks
    ticker.on_order_update = lambda _, order: say("order", order["order_id"])
    ticker.on_close = lambda _ticker, code, reason: say("disconnect", [code, reason])
    ticker.on_error = lambda _ticker, code, reason: say("error", [code, reason])
    ticker.connect()


if __name__ == "__main__":
    main(sys.argv[1])
