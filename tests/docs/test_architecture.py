"""ARCHITECTURE.md tells of files that are there, and of every package."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "ARCHITECTURE.md").read_text()
HOUSE = ROOT / "src" / "nearcast"


def test_every_file_that_is_named_exists() -> None:
    named = re.findall(r"\b((?:[a-z_]+/)+[a-z_]+\.py)\b", TEXT)
    assert len(named) > 40
    for path in named:
        assert (HOUSE / path).exists() or (ROOT / path).exists(), path


def test_every_package_has_its_place_in_the_house() -> None:
    packages = {path.parent.name for path in HOUSE.glob("*/__init__.py")}
    assert packages == set(re.findall(r"^\| \S+ \| `(\w+)/`", TEXT, re.MULTILINE))


def test_every_decision_has_its_number_once() -> None:
    numbers = [path.name[:4] for path in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]
