"""The `nearcast` command: every command is a module of its own beside this one.

A command's module is imported when the command is called (or help needs its text): asking for capitals
should not wait for a codec library.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import typer
import typer.core
import typer.main

import nearcast

# Name of each command → the module in this package that has it: a function of that name, or an `app`.
COMMANDS = {
    "demo": "demo",
    "watch": "watch",
    "explain": "explain",
    "package": "packaging",
    "simulate": "simulate",
    "lab": "lab",
    "uppercase": "uppercase",
}


class Commands(typer.core.TyperGroup):
    """The commands, imported one by one."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"nearcast.cli.{COMMANDS[cmd_name]}")
        group = getattr(module, "app", None)
        if group is None:
            group = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
            group.command(cmd_name)(getattr(module, cmd_name))
        command = typer.main.get_command(group)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="nearcast",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nearcast {nearcast.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Say the version."
    ),
) -> None:
    """A complete video CDN that anyone can run. Start with [bold]nearcast demo[/]."""


def main() -> None:
    """The entry point of the installed command."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)  # 128 + SIGINT, as shells expect
