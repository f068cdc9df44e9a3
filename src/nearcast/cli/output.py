"""How commands talk: text on a terminal, plain lines elsewhere, JSON when asked; errors with a remedy.

Exit codes, the same for every command: 0 done, 1 the answer is no, 2 usage or configuration,
3 something could not be reached.
"""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape as escape

from nearcast.model.faults import OperatorFault

DONE, NO, USAGE, UNREACHABLE = 0, 1, 2, 3

# rich leaves colours and control codes away when NO_COLOR is set or the output is no terminal.
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str = "") -> None:
    """One line for people; rich markup such as [bold]…[/] is allowed, so `escape` what users typed."""
    out.print(text)


def say_json(document: Any) -> None:
    """One JSON document on standard output, and nothing else there."""
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
    sys.stdout.flush()


def fail(sentence: str, remedy: str = "", code: int = USAGE) -> NoReturn:
    """End with one sentence and its remedy on standard error, never a traceback."""
    err.print(f"[bold red]nearcast:[/] {escape(sentence)}")
    if remedy:
        err.print(f"  → {escape(remedy)}")
    raise typer.Exit(code)


def fail_for(fault: OperatorFault) -> NoReturn:
    """End with every mistake of the operator's, each on a line of its own."""
    err.print(f"[bold red]nearcast:[/] {escape(fault.sentence)}")
    for mistake in fault.mistakes:
        err.print(f"  {escape(str(mistake))}")
    raise typer.Exit(USAGE)


def speak_bytes(count: int) -> str:
    """Bytes for people, in powers of ten: `812 B`, `4.2 kB`, `1.05 MB`."""
    for unit, size, digits in (("GB", 1e9, 2), ("MB", 1e6, 2), ("kB", 1e3, 1)):
        if count >= size:
            return f"{count / size:.{digits}f} {unit}"
    return f"{count} B"
