"""A new token: what it costs us and others in time and ticks; leaks; the price of a packet.

All in one run against one simulated Kite, in alternating rounds. Every program is a process of its own; all dial with
the official KiteTicker on Twisted's asyncio reactor.
"""
