"""Whatever a codec is fed, it answers or raises its own documented fault; what was found once stays found.

A longer look: `python -m tests.fuzz --seconds 600`.
"""

from __future__ import annotations

import pytest
from tests.fuzz.codecs import CODECS, Codec
from tests.fuzz.corpus import FOLDER, decoded, encoded, inputs
from tests.fuzz.run import Hang, feed, fuzz

MUTANTS = 12_000


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_the_kept_corpus(codec: Codec) -> None:
    assert inputs(codec.name), "a codec without a corpus is hardly fuzzed at all"
    assert [find for octets in inputs(codec.name) if (find := feed(codec, octets))] == []


def test_every_corpus_belongs_to_a_codec() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == {codec.name for codec in CODECS}


def test_mutants_of_the_corpus() -> None:
    assert list(fuzz(1, lambda count: count < MUTANTS)) == []


def test_a_line_of_the_corpus_is_its_octets() -> None:
    for octets in (b"", b"'\"\\", bytes(range(256)), b"\r\n"):
        assert decoded(encoded(octets)) == octets and "\n" not in encoded(octets)


def test_a_codec_that_raises_something_else_is_found() -> None:
    broken = Codec("ranges", lambda octets: octets.index(b"="), (KeyError,))
    find = next(fuzz(1, lambda count: True, (broken,)))
    assert isinstance(find.fault, ValueError) and b"=" not in find.octets


def test_a_codec_that_hangs_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(octets: bytes) -> None:
        while True:
            pass

    monkeypatch.setattr("tests.fuzz.run.CPU_SECONDS_MAX", 0.05)
    find = feed(Codec("ranges", hang), b"")
    assert find is not None and isinstance(find.fault, Hang)
