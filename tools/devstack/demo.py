"""`make demo`: the whole story without a person, told as a timeline and one line of JSON; exits 0 only if it is true.

A first login; a login while ticks flow, where Kite lets the old socket live; and one where Kite kills it at once. A bot
(the official KiteTicker) stays on the relay all the while and counts what it gets.
"""

import asyncio
import json
from dataclasses import asdict, dataclass
from typing import Any

import psutil

from tools.devstack import programs
from tools.devstack.browser import Browser
from tools.devstack.children import Child
from tools.devstack.legs import legs
from tools.devstack.places import Home, Ports, program
from tools.devstack.stack import OK, USER_ID, DevStack, Options
from tools.devstack.timeline import Stage, stages
from tools.devstack.trouble import StackError

INSTRUMENTS = ("256265", "260105", "265", "408065", "738561")
"""NIFTY 50, NIFTY BANK, SENSEX, INFY, RELIANCE."""
SETTLE_SECONDS = 2.0
"""How long the bot counts before and after a login: a loss or a repetition would show within it."""
FASTER = ("--updates", "10", "--frames", "20")
STEPS = ("stored", "received", "dialled", "first_tick")
ROUNDS = (("first login", "survives"), ("login while ticks flow", "survives"), ("Kite kills the old socket", "dies"))


@dataclass(frozen=True, slots=True)
class Round:
    """What one login led to; milliseconds, and what the bot counted from shortly before to shortly after it."""

    name: str
    old_socket: str
    generation: int
    login_to_stored_ms: float
    stored_to_event_ms: float
    event_to_dial_ms: float
    dial_to_first_tick_ms: float
    login_to_first_tick_ms: float
    legs: dict[str, float]
    lost_ticks: int
    duplicate_ticks: int
    client_disconnects: int
    longest_gap_ms: float
    worker_pid_same: bool

    def problems(self) -> list[str]:
        """List what must not be, whatever Kite does with the old socket."""
        found = []
        if self.client_disconnects:
            found.append(f"{self.client_disconnects} client disconnects")
        if self.duplicate_ticks:
            found.append(f"{self.duplicate_ticks} duplicate ticks")
        if self.lost_ticks and self.old_socket == "survives":
            found.append(f"{self.lost_ticks} lost ticks")
        if not self.worker_pid_same:
            found.append("the worker was restarted")
        return [f"{self.name}: {problem}" for problem in found]


class Bot:
    """The listener process, asked line by line."""

    def __init__(self, child: Child) -> None:
        self._child = child

    async def report(self) -> dict[str, Any]:
        """Ask what has happened.

        Raises:
            StackError: it has ended.
        """
        process = self._child.process
        if process.stdin is None or process.stdout is None:
            raise StackError("the bot was started without a dialogue")
        process.stdin.write(b"\n")
        line = await process.stdout.readline()
        if not line:
            raise StackError(f"the bot ended; its last words:\n{self._child.tail()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


async def demo() -> int:
    """Play the story; 0 if all of it was true."""
    print("kite-relay, the whole story without a person:\n")
    async with (
        DevStack(Home.named("demo"), Ports.free(), Options(FASTER, record=True)) as stack,
        Browser(stack.page) as browser,
    ):
        bot = await start_bot(stack)
        await stack.wait_until("the bot's connection", lambda: _connected(bot))
        print(f"  {stack.seconds:5.1f} s  a bot listens: the official KiteTicker, root={stack.relay}\n")
        rounds = [await _round(stack, browser, bot, name, old_socket) for name, old_socket in ROUNDS]
    problems = [problem for one in rounds for problem in one.problems()]
    print(json.dumps(summary(rounds)))
    for problem in problems:
        print(f"NOT TRUE: {problem}")
    return 1 if problems else 0


def summary(rounds: list[Round]) -> dict[str, Any]:
    """Give the JSON line: the login while ticks flow, totals where the old socket lives, and each round by itself."""
    flowing = asdict(rounds[1])
    timings = {key: flowing[key] for key in flowing if key.endswith("_ms") and key != "longest_gap_ms"}
    surviving = [one for one in rounds if one.old_socket == "survives"]
    return timings | {
        "lost_ticks": sum(one.lost_ticks for one in surviving),
        "duplicate_ticks": sum(one.duplicate_ticks for one in rounds),
        "client_disconnects": sum(one.client_disconnects for one in rounds),
        "worker_pid_same": all(one.worker_pid_same for one in rounds),
        "rounds": [asdict(one) for one in rounds],
    }


async def _round(stack: DevStack, browser: Browser, bot: Bot, name: str, old_socket: str) -> Round:
    await stack.tell_simulator("old-socket", {"mode": old_socket})
    worker = _worker(stack)
    await asyncio.sleep(SETTLE_SECONDS)
    before = await bot.report()
    calls_before = len(stack.recorder.calls)
    login = await browser.log_in(USER_ID)
    if login.status != OK:
        raise StackError(f"the login ended with {login.status}:\n{login.page}")
    generation, path = await _arrived(stack, login.called_back_at)
    await asyncio.sleep(SETTLE_SECONDS)
    after = await bot.report()
    relayed_at = after["resumed_at"] if old_socket == "dies" else None
    print(f"  {name} (old socket {old_socket}): generation {generation}")
    for stage in path:
        print(f"    {(stage.at - login.called_back_at) * 1000:8.1f} ms  {stage.what} (generation {stage.generation})")
    counted = {key: after[key] - before[key] for key in ("packets", "lost", "duplicates", "disconnects")}
    print(f"    the bot: {counted}, longest gap {after['longest_gap_ms']} ms\n")
    return Round(
        name,
        old_socket,
        generation,
        **_timings(login.called_back_at, path),
        legs=legs(stack.recorder.calls[calls_before:], stack.worker_key, _at(path), relayed_at),
        lost_ticks=counted["lost"],
        duplicate_ticks=counted["duplicates"],
        client_disconnects=counted["disconnects"],
        longest_gap_ms=after["longest_gap_ms"],
        worker_pid_same=_worker(stack) == worker,
    )


def _at(path: list[Stage]) -> dict[str, float]:
    newest = _newest(path)
    return {stage.what: stage.at for stage in path if stage.generation == newest}


def _timings(start: float, path: list[Stage]) -> dict[str, float]:
    at = _at(path)
    steps = {
        "login_to_stored_ms": at["stored"] - start,
        "stored_to_event_ms": at["received"] - at["stored"],
        "event_to_dial_ms": at["dialled"] - at["received"],
        "dial_to_first_tick_ms": at["first_tick"] - at["dialled"],
        "login_to_first_tick_ms": at["first_tick"] - start,
    }
    return {name: round(seconds * 1000, 1) for name, seconds in steps.items()}


async def _arrived(stack: DevStack, since: float) -> tuple[int, list[Stage]]:
    found: list[Stage] = []

    async def complete() -> bool:
        nonlocal found
        found = await asyncio.to_thread(stages, stack, since)
        return set(STEPS) <= {stage.what for stage in found if stage.generation == _newest(found)}

    await stack.wait_until("the first tick on the new token", complete)
    return _newest(found), found


def _newest(found: list[Stage]) -> int:
    return max((stage.generation for stage in found), default=0)


def _worker(stack: DevStack) -> tuple[int, float]:
    pid = stack.children.pid("worker")
    return pid, psutil.Process(pid).create_time()


async def start_bot(stack: DevStack) -> Bot:
    """Start the listener on the relay."""
    env = programs.ours(stack.home) | {"RELAY_KEY": stack.relay_key}  # never on a command line
    command = (program("dev", "python"), "-m", "tools.devstack.listener", stack.relay, *INSTRUMENTS)
    return Bot(await stack.children.start("bot", command, env, dialogue=True))


async def _connected(bot: Bot) -> bool:
    return bool((await bot.report())["connects"])
