from __future__ import annotations

import zlib

import pytest

from nearcast.cache.entry import ObjectHead
from nearcast.cache.freshness import Freshness
from nearcast.cache.object_file import encode_start, encode_tail, parse_object

HEAD = ObjectHead("movie/é", 404, {"etag": '"1"', "x": "é"}, 1.5, Freshness(60.0, 0.5, 1.0, 2.0))
BODY = b"picture"
START = encode_start(HEAD)
WHOLE = START + BODY + encode_tail(START, len(BODY), zlib.crc32(BODY))


def test_there_and_back() -> None:
    found = parse_object(memoryview(WHOLE))
    assert found is not None
    assert (found.head, WHOLE[found.start : found.start + found.length]) == (HEAD, BODY)
    assert found.body_is_sound(memoryview(WHOLE))


@pytest.mark.parametrize("size", range(len(WHOLE)))
def test_no_part_passes_for_the_whole(size: int) -> None:
    assert parse_object(memoryview(WHOLE[:size])) is None


@pytest.mark.parametrize("at", range(len(WHOLE)))
def test_no_changed_octet_goes_unnoticed(at: int) -> None:
    octets = bytearray(WHOLE)
    octets[at] ^= 0x10
    found = parse_object(memoryview(octets))
    assert found is None or not found.body_is_sound(memoryview(octets))


@pytest.mark.parametrize("more", [b"\0", BODY, WHOLE])
def test_what_is_longer_is_not_it(more: bytes) -> None:
    assert parse_object(memoryview(WHOLE + more)) is None
