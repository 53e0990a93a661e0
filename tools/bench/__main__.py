"""`make bench`: list the benchmarks."""

from importlib import import_module

from tools.bench import NAMES

for name in NAMES:
    words = (import_module(f"tools.bench.{name}").__doc__ or "").partition("\n")[0]
    print(f"  make bench NAME={name:<12} {words}")
