"""A body on its way in: one writer, many followers, bounded memory.

While the body is being stored, the disk takes it at the upstream's pace and each follower reads what is
there at its own pace, from the newest pieces in memory or from what is written already.

A body that is not stored (too large, private, disk full, also from the middle on) waits in a window of
memory until the slowest follower has taken it: then followers set the upstream's pace, and when none is
left the body is abandoned. How many such bodies there may be is not decided here (`shares`).

A follower is a `Body` like any other, only that its octets may not have come yet.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from nearcast.cache.body import PIECE_BYTES, BodyBroken
from nearcast.cache.object_writer import ObjectWriter

WINDOW_BYTES = 128 * 1024  # of a body that is not stored
RECENT_BYTES = 256 * 1024  # of one that is: spares the usual follower the way over the disk


class Abandoned(Exception):
    """The body is not stored and nobody follows it any more."""


class Follower:
    """One reader of a stream, at its own position: a `Body` that may still be growing."""

    def __init__(self, stream: Stream) -> None:
        self.at = 0  # the next octet wanted
        self._stream = stream

    @property
    def length(self) -> int | None:
        return self._stream.length

    def at_hand(self, start: int, stop: int | None) -> memoryview | None:
        return None

    async def pieces(self, start: int, stop: int | None) -> AsyncGenerator[bytes | memoryview, None]:
        stream = self._stream
        self.skip_to(start)
        while stop is None or self.at < stop:
            octets = stream.read(self.at)
            if octets:
                if stop is not None and len(octets) > stop - self.at:
                    octets = octets[: stop - self.at]
                self.skip_to(self.at + len(octets))
                yield octets
                continue
            if stream.broken:
                raise BodyBroken
            if stream.complete:
                return
            await stream.news.wait()

    def skip_to(self, at: int) -> None:
        """Nothing before `at` is wanted."""
        self.at = at
        self._stream.moved()

    def leave(self) -> None:
        """Follow no more. May be called twice."""
        self._stream.followers.discard(self)
        self._stream.moved()


class Stream:
    """Followers may join before the first byte; `store_in` says where the bytes go."""

    def __init__(self) -> None:
        self.length: int | None = None  # as announced
        self.arrived = 0  # bytes
        self.complete = False
        self.broken = False
        self.followers: set[Follower] = set()
        self.news = asyncio.Event()  # pulsed, never left set
        self._movement = asyncio.Event()  # of a follower; pulsed
        self.writer: ObjectWriter | None = None
        self._window: deque[bytes] = deque()  # the newest pieces
        self._window_start = 0

    @property
    def stored(self) -> bool:
        """All that has arrived is, or will be, in the store: whoever comes late can still follow."""
        return self.writer is not None and self.writer.open

    def follow(self) -> Follower:
        follower = Follower(self)
        self.followers.add(follower)
        return follower

    # --- the writer -------------------------------------------------------------------------------
    def store_in(self, writer: ObjectWriter) -> None:
        self.writer = writer

    async def put(self, piece: bytes) -> None:
        """More of the body. Waits for followers when it cannot be stored; Abandoned when there are none."""
        self._window.append(piece)
        self.arrived += len(piece)
        stored = self.writer is not None and self.writer.write(piece)
        self.pulse()
        if stored:
            self._trim(self.arrived - RECENT_BYTES)
            return
        while True:
            if not self.followers:
                raise Abandoned
            self._trim(min(follower.at for follower in self.followers))
            if self.arrived - self._window_start <= WINDOW_BYTES:
                return
            await self._movement.wait()

    def finish(self) -> None:
        """That was all of it."""
        self.complete = True
        self.pulse()

    def break_off(self) -> None:
        """The rest will not come. Followers get what is there, then BodyBroken."""
        self.broken = not self.complete
        if self.writer is not None and self.broken:
            self.writer.discard()
        self.pulse()

    # --- followers --------------------------------------------------------------------------------
    def read(self, at: int) -> bytes | memoryview:
        """Some octets from `at`, none when they have not come. BodyBroken when the disk lost them."""
        if at >= self.arrived:
            return b""
        if at < self._window_start:
            assert self.writer is not None, "the window keeps what no follower has taken"
            try:
                return self.writer.written(at)[:PIECE_BYTES]
            except OSError:
                raise BodyBroken from None
        start = self._window_start
        for piece in self._window:
            if at < start + len(piece):
                return piece if at == start else memoryview(piece)[at - start :]
            start += len(piece)
        raise AssertionError("the window reaches to what arrived last")

    def moved(self) -> None:
        self._movement.set()
        self._movement.clear()

    def pulse(self) -> None:
        self.news.set()
        self.news.clear()

    def _trim(self, keep_from: int) -> None:
        """Forget the pieces that lie wholly before `keep_from`."""
        window = self._window
        while window and self._window_start + len(window[0]) <= keep_from:
            self._window_start += len(window.popleft())
