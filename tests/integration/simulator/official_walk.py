"""Read a simulated market's packets with the official client and with ours; print how many differ.

A program of its own: importing kiteconnect takes the process's reactor.
"""

import sys
from datetime import date

from kiteconnect import KiteTicker

from kite_relay.domain.ticks import decode
from tests.integration.official_parser import official, plain
from tools.simulator.catalog import Catalog
from tools.simulator.market import MODES, Market
from tools.simulator.packets import frame

EVERY = 37
"""Each so manieth instrument takes part: all segments, and few enough to be quick."""


def main(seed: int, moves: int) -> int:
    """Compare packet by packet, and the official client's prices with the market's own."""
    catalog = Catalog(date(2026, 11, 24))
    market = Market(catalog, seed)
    quotes = [quote for token in list(catalog.by_token)[::EVERY] if (quote := market.quote(token, 1_795_500_000))]
    parse = KiteTicker("key", "token")._parse_binary
    differences = compared = 0
    for move in range(moves):
        for mode in MODES:
            message = frame(quote.packet(mode) for quote in quotes)
            theirs = [official(tick) for tick in parse(message)]
            ours = [plain(tick) for tick in decode(message)]
            prices = [quote.last_price for quote in quotes]
            compared += len(theirs)
            differences += sum(a != b for a, b in zip(ours, theirs, strict=True))
            differences += sum(abs(a - b["last_price"]) > 1e-7 for a, b in zip(prices, theirs, strict=True))
        market.move_all(1_795_500_000 + move)
    sys.stdout.write(f"{compared} packets of {len({q.instrument.segment for q in quotes})} segments, ")
    sys.stdout.write(f"{differences} differences\n")
    return differences


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])) > 0)
