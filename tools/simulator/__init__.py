"""A Kite that can be trusted, and told to misbehave."""

from tools.simulator.server import Simulator

__all__ = ["Simulator"]
