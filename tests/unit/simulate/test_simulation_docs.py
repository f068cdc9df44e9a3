"""The document about the virtual world is true: its programs run, its lists are complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nearcast.simulate.play.faults import FAULTS

DOCUMENT = (Path(__file__).parents[3] / "docs" / "simulation.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_runs(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(program, "docs/simulation.md", "exec"), {})
    assert "edge crashes" in capsys.readouterr().out


def test_there_is_a_program() -> None:
    assert PROGRAMS


@pytest.mark.parametrize("word", FAULTS)
def test_every_fault_is_named(word: str) -> None:
    assert f"`{word}`" in DOCUMENT
