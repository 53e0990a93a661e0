"""`make bench`: list the benchmarks."""

import pkgutil
from importlib import import_module

import tools.bench

for module in sorted(pkgutil.iter_modules(tools.bench.__path__), key=lambda found: found.name):
    if module.ispkg:
        words = (import_module(f"tools.bench.{module.name}").__doc__ or "").partition("\n")[0]
        print(f"  make bench NAME={module.name:<12} {words}")
