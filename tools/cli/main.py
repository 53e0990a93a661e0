"""The `kite-relay` command: each verb is a module of its own, imported only when it is called.

A verb's module offers `app`, a `typer.Typer`: one command, or several (then its callback makes it a group).
"""

import os
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from kite_relay import __version__
from kite_relay.domain.errors import KiteRelayError

VERBS = {
    # verb: (module, one line of help)
    "setup": ("tools.cli.setup", "Set up from nothing: questions, secrets, deployment, the URL to register."),
    "login": ("tools.cli.login", "Open the login, here or on the phone; or finish one by hand."),
    "logout": ("tools.cli.logout", "Kill the token at Zerodha; nothing flows until the next login."),
    "token": ("tools.cli.token", "Tell what is known of the token, or set one by hand."),
    "serve": ("tools.cli.serve", "Run everything on this machine, without AWS."),
    "status": ("tools.cli.status", "Tell whether token, market and feed are well, and what to do if not."),
    "watch": ("tools.cli.watch", "Watch live prices in the terminal, through the relay."),
    "keys": ("tools.cli.keys", "Make, list and revoke the keys that programs connect to the relay with."),
    "calendar": ("tools.cli.calendar", "Declare a closure or a session that the calendar does not know yet."),
    "market": ("tools.cli.market", "Tell whether there is a session on a date, and its schedule."),
    "doctor": ("tools.cli.doctor", "Examine everything, and tell how to mend what is wrong."),
    "droplet": ("tools.cli.droplet", "Write the user data that makes a new droplet a relay; it holds no secret."),
    "rotate": ("tools.cli.rotate", "Give the worker its AWS key, or a new one without a gap."),
    "sim": ("tools.cli.sim", "Start a simulated Kite, or tell a running one to misbehave."),
    "demo": ("tools.cli.demo", "Play the whole story on this machine; needs no account."),
    "bench": ("tools.cli.bench", "Run a benchmark by name."),
    "version": ("tools.cli.version", "Tell the version, and what it runs on."),
}


class LazyVerbs(TyperGroup):
    """Knows the verbs by name; imports a verb's module when it is called."""

    def list_commands(self, _ctx: Any) -> list[str]:
        """List the verbs in the order of the table."""
        return list(VERBS)

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        """Import the verb's module and give its command; None when there is no such verb."""
        if cmd_name not in VERBS:
            return None
        command = typer.main.get_command(import_module(VERBS[cmd_name][0]).app)
        command.name = cmd_name
        return command

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; a no to its question stops it as Ctrl-C does."""
        try:
            return super().invoke(ctx)
        except typer.Abort:
            from tools.cli.exits import Exits  # noqa: PLC0415 - only a no needs it

            typer.echo("Stopped.", err=True)
            raise typer.Exit(Exits.STOPPED) from None

    def format_commands(self, _ctx: Any, formatter: Any) -> None:
        """Write the verbs with their line of help, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])

    def shell_complete(self, _ctx: Any, incomplete: str) -> list[Any]:
        """Complete a verb's name without importing any."""
        from typer._click.shell_completion import CompletionItem  # noqa: PLC0415 - TAB's own; typer has no public name

        return [CompletionItem(name, help=text) for name, (_, text) in VERBS.items() if name.startswith(incomplete)]


app = typer.Typer(
    cls=LazyVerbs,
    name="kite-relay",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 ok, 1 bug, 2 usage, 3 needs login, 4 degraded, 5 configuration, 130 stopped by you.",
)


def _tell_version(wanted: bool) -> None:  # noqa: FBT001 - typer hands the flag over like this
    """Answer `--version` before anything else is read."""
    if wanted:
        typer.echo(f"kite-relay {__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version and exit.")
    ] = False,
) -> None:
    """One tap a day moves every Kite Connect program to the new access token: nothing restarts, drops or lies."""


def main() -> None:
    """Run the command line; an error of ours becomes one sentence and its exit code."""
    try:
        app()
    except KiteRelayError as error:
        from tools.cli.exits import exit_for  # noqa: PLC0415 - only an error needs it

        typer.echo(f"kite-relay: {error}", err=True)
        sys.exit(exit_for(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
