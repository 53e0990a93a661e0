"""`python -m tools.simulator`: the same as `kite-relay sim`."""

from tools.cli.sim import app

app(prog_name="python -m tools.simulator")
