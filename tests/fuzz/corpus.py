"""The kept corpus: what codecs were fed before, a text file for each codec, one input a line.

A line is the octets as Python writes them between the quotes of a bytes literal, so that a diff shows
what was added. What the fuzzer finds is added here, and is then tried for ever after.
"""

from __future__ import annotations

import ast
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"


def inputs(codec: str) -> list[bytes]:
    """The inputs kept for a codec."""
    path = FOLDER / f"{codec}.txt"
    return [decoded(line) for line in path.read_text("ascii").splitlines()] if path.exists() else []


def keep(codec: str, octets: bytes) -> None:
    """Add an input to a codec's corpus."""
    if octets not in inputs(codec):
        with (FOLDER / f"{codec}.txt").open("a", encoding="ascii") as file:
            file.write(encoded(octets) + "\n")


def encoded(octets: bytes) -> str:
    """One line for these octets."""
    return repr(b'"' + octets)[3:-1]  # the quotation mark makes Python write single quotes around it


def decoded(line: str) -> bytes:
    """The octets of a line."""
    octets = ast.literal_eval(f"b'{line}'")
    assert isinstance(octets, bytes)
    return octets
