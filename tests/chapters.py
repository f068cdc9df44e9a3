"""Chapters of the tutorial as programs: every command in them runs, and prints what the chapter says.

Rules of a chapter: a python block begins with its file's name; a console block has commands after `$ `
and below each what it prints. `…` within a line stands for what differs from run to run, a line that is
only `…` for any lines. A command that ends with `&` or starts a server goes to the background. All of it
runs in a network namespace of its own, where the ports are free and raw sockets are allowed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

NAMESPACE = [
    "unshare",
    "--user",
    "--map-root-user",
    "--net",
    "sh",
    "-c",
    'ip link set lo up && exec "$@"',
    "_",
]
SECONDS_MAX = 90


class Command(NamedTuple):
    line: str
    prints: str

    @property
    def stays(self) -> bool:
        return self.line.endswith("&") or " serve" in self.line


class Outcome(NamedTuple):
    """What became of a command; a server that stayed has no exit code of its own."""

    prints: str
    exit_code: int | None


class Chapter:
    """One chapter by its file's name."""

    def __init__(self, name: str) -> None:
        self.text = (Path(__file__).parents[1] / "docs" / "tutorial" / name).read_text()
        self.commands = list(self._commands())

    def blocks(self, kind: str) -> list[str]:
        return re.findall(rf"^```{kind}\n(.*?)^```", self.text, re.MULTILINE | re.DOTALL)

    def _commands(self) -> list[Command]:
        found = []
        for block in self.blocks("console"):
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                line, _, prints = part.partition("\n")
                found.append(Command(line, prints))
        return found

    def script(self, before: str, after: str) -> str:
        """All commands in order, each with its output and exit code in files of its own."""
        lines = ['sudo() { "$@"; }', "started=()", before]
        for number, command in enumerate(self.commands):
            if command.stays:
                lines.append(f"{command.line.rstrip(' &')} > out.{number} 2>&1 & started+=($!)")
                lines.append(f"for _ in $(seq 200); do [ -s out.{number} ] && break; sleep 0.05; done")
            else:
                lines.append(f"{{ {command.line}; }} > out.{number} 2>&1; echo $? > code.{number}")
        lines += ['[ ${#started[@]} = 0 ] || kill "${started[@]}"', after, "wait"]
        return "\n".join(lines)

    def run(self, folder: Path, *, before: str = "", after: str = "") -> list[Outcome]:
        """Run every command in `folder`. `before` and `after` are lines of shell around them."""
        if not shutil.which("nearcast", path=str(Path(sys.executable).parent)):
            pytest.skip("nearcast is not installed beside this Python")
        if subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode:
            pytest.skip("this machine allows no network namespace")
        for block in self.blocks("python"):
            (folder / block.partition("\n")[0].removeprefix("# ")).write_text(block)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "PYTHONUTF8": "1", "TMPDIR": str(folder)}
        script = [*NAMESPACE, "bash", "-c", self.script(before, after)]
        subprocess.run(script, cwd=folder, env=environment, check=False, timeout=SECONDS_MAX)
        return [self._outcome(folder, number) for number in range(len(self.commands))]

    def _outcome(self, folder: Path, number: int) -> Outcome:
        code = folder / f"code.{number}"
        return Outcome(
            (folder / f"out.{number}").read_text(), int(code.read_text()) if code.exists() else None
        )


def check_printed(command: Command, printed: str) -> None:
    """A command must have printed what its chapter says; tabs look as they do on a terminal."""
    pattern = "".join(
        "(?:.*\n)*" if part == "…\n" else ".*" if part == "…" else re.escape(part)
        for part in re.split("(^…\n|…)", _shown(command.prints), flags=re.MULTILINE)
    )
    assert re.fullmatch(pattern, _shown(printed)), f"{printed}\nis not\n{command.prints}"


def _shown(text: str) -> str:
    """`text` with tabs expanded and without blanks at the ends of lines."""
    return re.sub(r"[ \t]+$", "", text.expandtabs(), flags=re.MULTILINE)
