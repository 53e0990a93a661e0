"""Run the benchmark; see the package."""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tools.bench.coldstart.warm import warm_milliseconds

ROOT = Path(__file__).parents[3]
ROUNDS = 15
GOAL_RATIO, GOAL_WARM_MS, GOAL_BYTES = 1.6, 5.0, 1_000_000
NOT_IN_LAMBDA = ("OpenSSL", "cryptography")
FUNCTIONS = ("login_callback", "status", "reminder")
BARE = 'import boto3; boto3.client("ssm")'
TIMED = """
import sys, time
for absent in {absent!r}:
    sys.modules[absent] = None
started = time.perf_counter()
{code}
print(time.perf_counter() - started)
"""
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "ap-south-1",
    "BOARD_TABLE": "board",
    "EVENT_BUS": "bus",
    "ALLOWED_USER_IDS": "AB1234",
    "PATH": os.environ["PATH"],
    "PYTHONPATH": os.pathsep.join([str(ROOT / "core"), str(ROOT)]),
}
AS_LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "bench"}


def seconds(code: str, variables: dict[str, str]) -> float:
    """Time a piece of code in a fresh process."""
    program = TIMED.format(absent=NOT_IN_LAMBDA, code=code)
    run = subprocess.run(
        [sys.executable, "-c", program], env=ENVIRONMENT | variables, capture_output=True, text=True, check=True
    )
    return float(run.stdout)


def cold(functions: list[str], rounds: int) -> dict[str, dict[str, float]]:
    """Time each start turn by turn, so that a busy moment of the machine falls on all."""
    starts: dict[str, tuple[str, dict[str, str]]] = {"bare": (BARE, {})} | {
        f"{name} {kind}": (f"import functions.{name}.app", variables)
        for name in functions
        for kind, variables in (("import", {}), ("cold", AS_LAMBDA))
    }
    times: dict[str, list[float]] = {name: [] for name in starts}
    for name, (code, variables) in starts.items():
        seconds(code, variables)  # writes the byte code, fills the page cache
        times[name].clear()
    for _ in range(rounds):
        for name, (code, variables) in starts.items():
            times[name].append(seconds(code, variables))
    return {
        name: {
            "fastest_ms": round(min(found) * 1e3, 1),
            "median_ms": round(statistics.median(found) * 1e3, 1),
            "ratio": round(min(found) / min(times["bare"]), 2),
        }
        for name, found in times.items()
    }


def shipped_bytes(function: str) -> int:
    """Weigh what `sam build` puts into a function beside the layers: its room and the pages' look."""
    folder = ROOT / "functions"
    parts = [path for room in (function, "web") for path in (folder / room).rglob("*")]
    return sum(path.stat().st_size for path in parts if path.is_file() and "__pycache__" not in path.parts)


def main() -> None:
    """Measure everything and print it."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    functions = [name for name in FUNCTIONS if (ROOT / "functions" / name / "app.py").exists()]
    started = time.perf_counter()
    times = cold(functions, rounds)
    warm = warm_milliseconds()
    result = {
        "rounds": rounds,
        "load": os.getloadavg()[0],
        "bare_boto3_ssm": times["bare"],
        "functions": {
            name: {
                "cold": times[f"{name} cold"],
                "import": times[f"{name} import"],
                "shipped_bytes": shipped_bytes(name),
            }
            for name in functions
        },
        "warm_ms": warm,
        "goals": {
            "cold_ratio <= 1.6": all(times[f"{name} cold"]["ratio"] <= GOAL_RATIO for name in functions),
            "shipped <= 1 MB": all(shipped_bytes(name) <= GOAL_BYTES for name in functions),
            "warm p50 <= 5 ms": warm["p50"] <= GOAL_WARM_MS,
        },
        "seconds": round(time.perf_counter() - started, 1),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
