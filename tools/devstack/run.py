"""`make run`: everything up, one address, what to press; Ctrl-C ends all of it."""

import asyncio
import shlex
import signal
from pathlib import Path

from tools.devstack.cloud import STACK, aws_env
from tools.devstack.places import Home, Ports, program
from tools.devstack.stack import USER_ID, DevStack, died
from tools.devstack.trouble import StackError


async def run(home: Home) -> None:
    """Bring the stack up and keep it until Ctrl-C.

    Args:
        home: its folder.

    Raises:
        StackError: it could not start, or one of its programs ended by itself.
    """
    stopped = asyncio.Event()
    starting = asyncio.current_task()

    def interrupt() -> None:
        if not stopped.is_set():
            stopped.set()
            if starting and not ready:
                starting.cancel()

    ready = False
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, interrupt)
    print("Starting kite-relay on this machine; no AWS account and no Zerodha account is touched.")
    try:
        async with DevStack(home, Ports.configured()) as stack:
            ready = True
            command_line(stack).write_text(exports(stack), encoding="utf-8")
            print(invitation(stack))
            await _until(stopped, stack)
            print("\nStopping ...")
    except asyncio.CancelledError:
        if not stopped.is_set():
            raise
    print("Everything that was started has ended.")


async def _until(stopped: asyncio.Event, stack: DevStack) -> None:
    death = asyncio.ensure_future(stack.children.first_death())
    stop = asyncio.ensure_future(stopped.wait())
    done, pending = await asyncio.wait((death, stop), return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    if death in done:
        raise StackError(died(death.result()))


def command_line(stack: DevStack) -> Path:
    """Tell where a shell finds what `kite-relay` must know of this stack."""
    return stack.home.path / "shell"


def exports(stack: DevStack) -> str:
    """Write it: this machine's addresses in place of those that AWS would give, and the emulator's own keys."""
    told = aws_env(stack.aws_endpoint) | {
        "STACK_NAME": STACK,
        "STATUS_URL": stack.page,
        "LOGIN_URL": f"{stack.page}/login",
        "REDIRECT_URL": f"{stack.page}/callback",
        "KITE_RELAY_KEY": stack.relay_key,
    }
    path = f"export PATH={shlex.quote(str(program('dev', 'kite-relay').parent))}:$PATH"
    return "\n".join([path, *(f"export {name}={shlex.quote(value)}" for name, value in told.items()), ""])


def invitation(stack: DevStack) -> str:
    """Say what to open and what to press."""
    return f"""
Ready in {stack.seconds:.1f} s. Open

    {stack.page}/

and press "Log in" there. At the simulated Zerodha your user id is {USER_ID}; password and code can be anything. Then
watch the ticks go live. Log in once more while they flow: they move to the new token, and nothing restarts.

    The simulated Kite, which can be told to misbehave     {stack.simulator}/
    A bot's way in (KiteTicker with root= and this key)    {stack.relay}/  {stack.relay_key}
    The worker's health and metrics                        http://127.0.0.1:{stack.ports.worker}/metrics
    What each program says                                 {stack.home.logs}/
    The command line, in another terminal                  . {command_line(stack)}; kite-relay doctor

Ctrl-C ends everything."""
