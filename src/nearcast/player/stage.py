"""What both ways of watching stand on: objects that arrive, the play-out clock, and where bytes go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from nearcast.player.download import Download, Keep, WholeObject
from nearcast.player.fetch import Fetcher, Unreachable
from nearcast.player.playout import PlayOut
from nearcast.player.url import Url
from nearcast.player.viewing import Trace

MOVES_MAX = 3


@dataclass(slots=True)
class Stage:
    """One viewing under way."""

    fetcher: Fetcher
    trace: Trace
    realtime: bool
    """Wait while the buffer is full, and to the end of the film, as a person does."""
    buffer_seconds: float
    """How much of the film is fetched ahead in real time."""
    keep_for: Callable[[str], Keep | None]
    """Where `video`, `audio` or `progressive` bytes go besides; None: nowhere. Asked anew for each rendition
    that begins to play, since segments of different renditions make no one file."""
    playout: PlayOut = field(default_factory=PlayOut)
    film_seconds: float | None = None

    async def whole(self, url: Url, download: WholeObject) -> Url:
        """Fetch an object into `download`; returns where it came from."""
        source = await self.fetcher.fetch(url, download)
        self.trace.digests[str(source)] = download.sha256
        return source

    async def room_for(self, seconds: float) -> None:
        """In real time, wait until the buffer has room for `seconds` more of the film."""
        if self.realtime:
            await asyncio.sleep(
                max(0.0, self.playout.level(self.trace.now()) + seconds - self.buffer_seconds)
            )

    async def play_to_end(self) -> None:
        """In real time, wait until what is here has been played."""
        if self.realtime:
            await asyncio.sleep(self.playout.level(self.trace.now()))


@dataclass(slots=True)
class RedirectedSource:
    """Where an object that is asked for again and again comes from: a URL, and where it redirected to.

    When nobody gives it where it redirected to, the URL itself is asked again, for the router behind it
    may by now know a better server.
    """

    origin: Url
    stage: Stage
    moves: int = 0
    at: Url = field(init=False)

    def __post_init__(self) -> None:
        self.at = self.origin

    async def fetch(self, download: Download) -> Url:
        try:
            self.at = await self.stage.fetcher.fetch(self.at, download)
        except Unreachable:
            if self.at == self.origin or self.moves >= MOVES_MAX:
                raise
            self.moves += 1
            self.stage.trace.tell("moved", f"back to {self.origin.authority}, which had redirected here")
            self.at = await self.stage.fetcher.fetch(self.origin, download)
        return self.at
