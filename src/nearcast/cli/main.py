"""The `nearcast` command: every command is a module of its own beside this one."""

from __future__ import annotations

import sys

import typer

app = typer.Typer(
    name="nearcast",
    help="A complete video CDN that anyone can run.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def main() -> None:
    """The entry point of the installed command."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)  # 128 + SIGINT, as shells expect
