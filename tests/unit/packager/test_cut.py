"""A stream of boxes, in whatever portions it comes, becomes an init segment and segments."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from nearcast.packager.cut import Cutter, boxes


def box(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


HEAD = box(b"ftyp", b"iso6") + box(b"moov", b"how to decode")
FIRST = box(b"styp", b"msdh") + box(b"moof", b"1") + box(b"mdat", b"one")
SECOND = box(b"moof", b"2") + box(b"mdat", b"twotwo")
STREAM = HEAD + FIRST + SECOND + box(b"mfra", b"index")


@pytest.mark.parametrize("portion", [1, 7, 8, len(STREAM)])
def test_it_cuts_wherever_the_portions_end(tmp_path: Path, portion: int) -> None:
    cutter = Cutter(tmp_path / "v")
    for at in range(0, len(STREAM), portion):
        part = STREAM[at : at + portion]
        assert cutter.write(part) == len(part)
    files = {path.name: path.read_bytes() for path in (tmp_path / "v").iterdir()}
    assert files == {"init.mp4": HEAD, "1.m4s": FIRST, "2.m4s": SECOND}
    assert cutter.segment_bytes == [len(FIRST), len(SECOND)]


def test_a_box_with_a_large_size_field_is_one_box() -> None:
    large = struct.pack(">I4sQ", 1, b"mdat", 16 + 3) + b"abc"
    assert list(boxes(large + box(b"free"))) == [(b"mdat", large), (b"free", box(b"free"))]


def test_an_unfinished_box_is_not_given_out() -> None:
    assert list(boxes(box(b"moov", b"x") + box(b"moof", b"y")[:-1])) == [(b"moov", box(b"moov", b"x"))]


def test_an_impossible_size_is_an_error() -> None:
    with pytest.raises(ValueError, match="impossible size"):
        list(boxes(struct.pack(">I4s", 5, b"moov")))
