"""README, CONTRIBUTING and their like speak of what exists: commands, options, targets, files, addresses."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nearcast.cli.main import app
from nearcast.model.read import read_config

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TO_TYPE = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def typed(first: str) -> list[str]:
    """Every command that begins with the word `first`, in code of the pages that say what to type."""
    found = []
    for page in TO_TYPE:
        text = page.read_text()
        blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
        lines = [
            part for block in blocks for line in block.splitlines() for part in re.split(r"\s&&\s|;", line)
        ]
        found += [
            line.partition("  #")[0].strip()
            for line in (*lines, *inline)
            if line.strip().startswith(f"{first} ")
        ]
    return found


def arguments_of(command: str) -> tuple[str, list[str]]:
    """The target and the ARGS of a `make`."""
    _, target, *rest = shlex.split(command)
    given = next((word.removeprefix("ARGS=") for word in rest if word.startswith("ARGS=")), "")
    return target, shlex.split(given)


def understood(words: list[str]) -> bool:
    """Whether the command line knows these words; with --help behind them it reads and does nothing."""
    return CliRunner().invoke(app, [*words, "--help"]).exit_code == 0


@pytest.mark.parametrize("command", typed("nearcast"))
def test_commands_and_their_options_exist(command: str) -> None:
    assert understood(shlex.split(command)[1:])


def test_an_option_that_does_not_exist_would_be_noticed() -> None:
    assert not understood(["demo", "--telepathy"])
    assert not understood(["lab", "levitate"])
    assert not understood(["dream"])


@pytest.mark.parametrize("command", typed("make"))
def test_targets_exist_and_take_what_they_are_given(command: str) -> None:
    target, words = arguments_of(command)
    assert re.search(rf"^{target}:.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE), target
    match target:
        case "demo":
            assert understood(["demo", *words])
        case "test" if words[:1] == ["-k"]:
            tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
            assert re.search(rf"def test_\w*{words[1]}", tests)
        case "test" if words:
            assert (ROOT / words[0]).exists()
        case "bench" if words:
            assert (ROOT / "bench" / f"{words[0]}.py").exists()


def test_there_is_something_to_type() -> None:
    assert len(typed("make")) >= 8 and len(typed("nearcast")) >= 4


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not re.match(r"\w+:", target):
            assert (page.parent / target).exists(), f"{name(page)} links to {target}"


@pytest.mark.parametrize("page", TO_TYPE, ids=name)
def test_examples_that_are_named_load(page: Path) -> None:
    for path in re.findall(r"examples/\w+\.toml", page.read_text()):
        read_config(ROOT / path)


def test_addresses_are_those_of_the_demo() -> None:
    example = (ROOT / "examples" / "demo.toml").read_text()
    text = (ROOT / "README.md").read_text()
    for address in re.findall(r"127(?:\.\d+){3}", text):
        assert f'"{address}"' in example
    ports = {port for port in re.findall(r"127(?:\.\d+){3}:(\d+)|-p (\d+)", text) for port in port if port}
    assert ports and all(f" = {port}\n" in example for port in ports)
