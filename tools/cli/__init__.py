"""The `kite-relay` command line."""

import os

# Plain help: typer's decorated one costs 190 ms of imports, and a pipe or a screen reader gains nothing by boxes.
os.environ.setdefault("TYPER_USE_RICH", "0")
