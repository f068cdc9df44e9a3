"""GLOSSARY.md lists words of the code, each of them once."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "nearcast"
ENDINGS = ("", "s", "es", "d", "ed", "r", "er", "ing")
AVOIDED = ("utils", "manager", "helper", "handler", "data", "info")


def listed(text: str) -> list[str]:
    """The words of all tables: what stands in the first column, separated by commas."""
    cells = re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE)
    return [word.strip().lower() for cell in cells if cell != "word" for word in cell.split(",")]


def identifiers() -> Iterator[str]:
    """Every name in the code, the members of its `Literal` types, and the names of its files and folders;
    not what comments and texts say."""
    for path in SOURCES.rglob("*.py"):
        yield from path.relative_to(SOURCES).with_suffix("").parts
        for node in ast.walk(ast.parse(path.read_text())):
            for member in ("id", "attr", "name", "arg"):
                if isinstance(name := getattr(node, member, None), str):
                    yield name
            if isinstance(node, ast.Subscript) and getattr(node.value, "id", "") == "Literal":
                yield from (each.value for each in ast.walk(node.slice) if isinstance(each, ast.Constant))


@cache
def phrases() -> frozenset[str]:
    """The identifiers as phrases: `client_subnet` and `ClientSubnet` are " client subnet "."""
    parted = (re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name) for name in set(map(str, identifiers())))
    return frozenset(f" {' '.join(parts)} ".lower() for parts in parted)


def forms(word: str) -> set[str]:
    """The word as it may stand in a name: its plural, who does it, that it was done."""
    stems = {word, word.removesuffix("e"), word + word[-1]}
    found = {stem + ending for stem in stems for ending in ENDINGS}
    if word.endswith("y"):
        found.add(word[:-1] + "ies")
    return found - (stems - {word})


def used(term: str) -> bool:
    *before, last = term.split()
    return any(f" {' '.join([*before, form])} " in phrase for form in forms(last) for phrase in phrases())


WORDS = listed((ROOT / "GLOSSARY.md").read_text())


@pytest.mark.parametrize("word", WORDS)
def test_the_code_uses_the_word(word: str) -> None:
    assert used(word), f"no name in the code has the word {word!r}: take it out of GLOSSARY.md"


@pytest.mark.parametrize("word", sorted(set(WORDS)))
def test_the_word_is_listed_once(word: str) -> None:
    assert WORDS.count(word) == 1


@pytest.mark.parametrize("word", AVOIDED)
def test_files_do_not_have_names_that_say_nothing(word: str) -> None:
    named = {part for path in SOURCES.rglob("*.py") for part in path.relative_to(SOURCES).parts}
    assert not [name for name in named if word in Path(name).stem.split("_")]


@pytest.mark.parametrize("word", ["telepathy", "coalesce", "routing telepathy"])
def test_a_word_of_nobody_would_be_noticed(word: str) -> None:
    assert not used(word)


def test_every_table_was_read() -> None:
    assert len(WORDS) >= 100
    assert {"pop", "content server", "hit", "miss", "stale", "routing zone"} <= set(WORDS)
