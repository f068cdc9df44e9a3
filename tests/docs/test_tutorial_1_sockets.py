"""The first chapter of the tutorial runs: every command in it, with what the chapter says it prints.

Rules of the chapter: a python block begins with its file's name; a console block has commands after
`$ ` and below each what it prints, `…` standing for what differs from run to run. A command that ends
with `&` or starts a server goes to the background. All of it runs in a network namespace of its own,
where the ports are free and raw sockets are allowed.
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

CHAPTER = Path(__file__).parents[2] / "docs" / "tutorial" / "1-sockets.md"
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


class Command(NamedTuple):
    line: str
    prints: str

    @property
    def stays(self) -> bool:
        return self.line.endswith("&") or " serve" in self.line


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", CHAPTER.read_text(), re.MULTILINE | re.DOTALL)


def commands() -> list[Command]:
    found: list[Command] = []
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, prints = part.partition("\n")
            found.append(Command(line, prints))
    return found


def script() -> str:
    """All commands in order, each with its output in a file of its own."""
    lines = ['sudo() { "$@"; }', "started=()"]
    for number, command in enumerate(commands()):
        if command.stays:
            lines.append(f"{command.line.rstrip(' &')} > out.{number} 2>&1 & started+=($!)")
            lines.append(f"for _ in $(seq 200); do [ -s out.{number} ] && break; sleep 0.05; done")
        else:
            lines.append(f"{command.line} > out.{number} 2>&1")
    lines.append('kill "${started[@]}"; wait')
    return "\n".join(lines)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    if not shutil.which("nearcast", path=str(Path(sys.executable).parent)):
        pytest.skip("nearcast is not installed beside this Python")
    if subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no network namespace")
    folder = tmp_path_factory.mktemp("chapter")
    for block in blocks("python"):
        (folder / block.partition("\n")[0].removeprefix("# ")).write_text(block)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONUTF8": "1"}
    subprocess.run([*NAMESPACE, "bash", "-c", script()], cwd=folder, env=environment, check=False, timeout=90)
    return [(folder / f"out.{number}").read_text() for number in range(len(commands()))]


@pytest.mark.parametrize("number", range(len(commands())), ids=[command.line[:50] for command in commands()])
def test_command_prints_what_the_chapter_says(outputs: list[str], number: int) -> None:
    expected = commands()[number].prints
    pattern = "".join(".*" if part == "…" else re.escape(part) for part in re.split("(…)", expected))
    assert re.fullmatch(pattern, outputs[number]), f"{outputs[number]!r}\nis not\n{expected!r}"


def test_the_chapter_has_commands_and_programs_to_run() -> None:
    assert len(commands()) >= 10
    assert len(blocks("python")) >= 4
