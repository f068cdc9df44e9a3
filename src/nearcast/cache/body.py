"""A body, wherever it is: whole in memory or on the disk, still arriving, in slices, or somewhere else.

Whoever writes answers asks a body for its octets and knows nothing of where they come from. Whoever
has octets, by whatever way, offers them like this; nothing else is needed for them to be delivered.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

PIECE_BYTES = 256 * 1024  # handed over at a time; what is not larger may be written at once


class BodyBroken(Exception):
    """The rest of a body cannot be had."""


class Body(Protocol):
    """Octets that can be read from anywhere, by as many as like to."""

    @property
    def length(self) -> int | None:
        """Bytes of all of it; None as long as nobody knows."""
        ...

    def at_hand(self, start: int, stop: int | None) -> memoryview | None:
        """The octets from `start` to `stop` (None: to the end), if in memory and at most PIECE_BYTES.

        None otherwise: then they come as pieces.
        """
        ...

    def pieces(self, start: int, stop: int | None) -> AsyncGenerator[bytes | memoryview, None]:
        """The same octets one after the other, each piece as soon as it is there, none empty.

        Raises BodyBroken when the rest cannot be had. Whoever stops early closes the generator.
        """
        ...


class MappedBody:
    """A whole body in memory or in a mapped file. It stays as it is, whatever happens to the file."""

    __slots__ = ("length", "octets")

    def __init__(self, octets: memoryview) -> None:
        self.octets = octets
        self.length = len(octets)

    def at_hand(self, start: int, stop: int | None) -> memoryview | None:
        length = self.length
        if stop is None:
            stop = length
        if stop - start > PIECE_BYTES:
            return None
        return self.octets if stop - start == length else self.octets[start:stop]

    async def pieces(self, start: int, stop: int | None) -> AsyncGenerator[memoryview, None]:
        stop = self.length if stop is None else stop
        for at in range(start, stop, PIECE_BYTES):
            yield self.octets[at : min(at + PIECE_BYTES, stop)]
