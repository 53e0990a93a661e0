"""The whole way of a token on the embedded stack: from the callback's `PutParameter` to the first tick relayed."""

import asyncio
import json

Legs = dict[str, float | str]


async def whole_way(bare_ms: float) -> list[Legs]:
    """Play `make demo`, and tell of each of its logins the legs, and the share that is ours.

    Args:
        bare_ms: what dialling and subscribing takes with nothing of ours around it; the rest of that leg is ours.
    """
    process = await asyncio.create_subprocess_exec("make", "demo", stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"make demo failed:\n{output.decode()[-3000:]}")
    rounds = json.loads(output.splitlines()[-1])["rounds"]
    return [{"login": each["name"], **_shares(each["legs"], bare_ms)} for each in rounds]


def show_whole_way(ways: list[Legs]) -> None:
    """Print the legs of each login."""
    print("\nThe whole way on the embedded stack, from the callback's PutParameter (ms)")
    for way in ways:
        print(f"  {way['login']}")
        for name, value in list(way.items())[1:]:
            print(f"    {name:<26}{value:>9}")


def _shares(legs: dict[str, float], bare_ms: float) -> Legs:
    dialling = legs["dial_to_first_tick_ms"]
    above = max(0.0, dialling - bare_ms)
    ours = above + sum(milliseconds for name, milliseconds in legs.items() if name.startswith("ours_"))
    total = sum(legs.values())
    whole = {"bare_dial_ms": bare_ms, "ours_in_dial_to_first_tick_ms": above, "ours_ms": ours, "whole_ms": total}
    return {**legs, **{name: round(value, 2) for name, value in whole.items()}, "ours_share": round(ours / total, 3)}
