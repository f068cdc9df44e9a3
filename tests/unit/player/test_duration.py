"""The duration of an MP4, from its first bytes."""

from __future__ import annotations

import struct

import pytest

from nearcast.player.duration import film_seconds


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, kind) + body


OLD = box(b"mvhd", struct.pack(">IIIII", 0, 1, 2, 600, 12_300))
NEW = box(b"mvhd", struct.pack(">IQQIQ", 1 << 24, 1, 2, 90_000, 90_000 * 10_000))


@pytest.mark.parametrize(("mvhd", "seconds"), [(OLD, 20.5), (NEW, 10_000)])
def test_both_versions_of_the_header(mvhd: bytes, seconds: float) -> None:
    assert film_seconds(box(b"ftyp", b"isom") + box(b"moov", mvhd)) == seconds


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"no film at all, really",
        box(b"mdat", b"x" * 100),
        box(b"moov", b""),
        (box(b"ftyp", b"isom") + box(b"moov", OLD))[:30],
        box(b"moov", box(b"mvhd", bytes(20))),
        bytes(100),
    ],
)
def test_what_does_not_say_it_is_no_fault(head: bytes) -> None:
    assert film_seconds(head) is None
