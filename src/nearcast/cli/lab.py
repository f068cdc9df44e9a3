"""`nearcast lab`: look at a running demo from another terminal, kill its programs, start them again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.markup import escape

from nearcast.cli.output import NO, UNREACHABLE, fail, say, say_json
from nearcast.lab.console import ask
from nearcast.lab.workplace import running

app = typer.Typer(
    help="Look at a running demo from another terminal; kill its programs and start them again.",
    no_args_is_help=True,
)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of lines.")]
Name = Annotated[
    str, typer.Argument(help="A program, as `nearcast lab status` calls it: ia2, origin, router …")
]


@app.command()
def status(as_json: AsJson = False) -> None:
    """Say which programs run, where, and as which process."""
    report = order({"do": "status"})
    if as_json:
        say_json(report)
        return
    say(
        f"{report['zone']}: DNS on port {report['dns_port']}, HTTP on {report['http_port']}, "
        f"administration on {report['admin_port']}"
    )
    for name, program in report["programs"].items():
        colour = "green" if program["state"] == "up" else "red"
        say(
            f"  {escape(name):<14} [{colour}]{program['state']:<8}[/] [dim]process {program['pid'] or '-'}[/]"
        )


@app.command()
def kill(name: Name, as_json: AsJson = False) -> None:
    """Kill a program of the running demo with SIGKILL, as if its machine had lost power."""
    _obeyed(order({"do": "kill", "name": name}), as_json)


@app.command()
def start(name: Name, as_json: AsJson = False) -> None:
    """Start a killed program again, on the store that it had."""
    _obeyed(order({"do": "start", "name": name}), as_json)


def order(what: dict[str, Any]) -> dict[str, Any]:
    """The report of the newest running lab."""
    report = next(_reports(what), None)
    if report is None:
        fail("no demo runs here", "start one with `nearcast demo`", UNREACHABLE)
    return report


def labs() -> Iterator[dict[str, Any]]:
    """What each running lab says of itself, newest first."""
    return _reports({"do": "status"})


def _reports(what: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The same order to each running lab as the caller asks for more; those that are gone are left out."""
    for path in running():
        try:
            yield ask(path, what)
        except OSError:
            continue


def _obeyed(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        say_json(report)
        raise typer.Exit(0 if report["ok"] else NO)
    if not report["ok"]:
        names = ", ".join(report.get("names", ()))
        fail(report["said"], f"there are {names}" if names else "", NO)
    say(report["said"])
