"""A body is whatever gives its octets like one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from nearcast.cache.body import PIECE_BYTES, Body, MappedBody

OCTETS = bytes(range(256)) * 3000


class Slices:
    """A list of slices of equal length, as a large object is to be stored one day."""

    def __init__(self, slices: list[bytes]) -> None:
        self.slices = slices
        self.each = len(slices[0])
        self.length = sum(map(len, slices))

    def at_hand(self, start: int, stop: int | None) -> memoryview | None:
        number = start // self.each
        stop = self.length if stop is None else stop
        if stop > (number + 1) * self.each:
            return None
        return memoryview(self.slices[number])[start - number * self.each : stop - number * self.each]

    async def pieces(self, start: int, stop: int | None) -> AsyncGenerator[memoryview, None]:
        stop = self.length if stop is None else stop
        while start < stop:
            end = min(stop, (start // self.each + 1) * self.each)
            await asyncio.sleep(0)  # it may have to be fetched
            octets = self.at_hand(start, end)
            assert octets is not None
            yield octets
            start = end


BODIES: dict[str, Body] = {
    "mapped": MappedBody(memoryview(OCTETS)),
    "slices": Slices([OCTETS[at : at + 100_000] for at in range(0, len(OCTETS), 100_000)]),
}


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize(
    ("start", "stop"), [(0, None), (0, len(OCTETS)), (1, 2), (99_999, 100_001), (5, 700_000), (767_999, None)]
)
def test_its_pieces_are_what_was_asked_for(kind: str, start: int, stop: int | None) -> None:
    body = BODIES[kind]

    async def read() -> list[bytes]:
        return [bytes(piece) async for piece in body.pieces(start, stop)]

    pieces = asyncio.run(read())
    assert b"".join(pieces) == OCTETS[start:stop]
    assert all(0 < len(piece) <= PIECE_BYTES for piece in pieces)
    if (octets := body.at_hand(start, stop)) is not None:
        assert octets == OCTETS[start:stop]


def test_a_small_part_of_a_mapping_is_at_hand_and_a_large_one_comes_in_pieces() -> None:
    body = BODIES["mapped"]
    assert body.at_hand(10, 10 + PIECE_BYTES) == OCTETS[10 : 10 + PIECE_BYTES]
    assert body.at_hand(10, 11 + PIECE_BYTES) is None
    assert body.at_hand(0, None) is None
