"""The `nearcast` command: every command is a module of its own beside this one."""

from __future__ import annotations

import sys

import typer

from nearcast.cli import lab, uppercase
from nearcast.cli.demo import demo
from nearcast.cli.explain import explain
from nearcast.cli.packaging import package
from nearcast.cli.watch import watch

app = typer.Typer(
    name="nearcast",
    help="A complete video CDN that anyone can run.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command()(demo)
app.command()(watch)
app.command()(explain)
app.command()(package)
app.add_typer(lab.app, name="lab")
app.add_typer(uppercase.app, name="uppercase")


def main() -> None:
    """The entry point of the installed command."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)  # 128 + SIGINT, as shells expect
