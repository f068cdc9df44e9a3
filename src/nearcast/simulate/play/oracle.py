"""The oracle: what the origin has and had, at which times; what everything that was served is held against.

It is the origin's content source, so what it says and what the origin serves cannot differ. A title that
is replaced keeps its paths and sizes; its bytes are others, so bytes tell the version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from nearcast.origin.content import Content, content_tag
from nearcast.player.viewing import Fetched
from nearcast.simulate.play.script import Films
from nearcast.simulate.play.synthetic import film
from nearcast.simulate.world.host import EPOCH

FOREVER = float("inf")
COMMENTS = {".mpd": b"<!-- %s -->\n", ".m3u8": b"# %s\n"}


@dataclass(slots=True)
class Edition:
    """One version of one content: its bytes, and from when until when the origin had it (virtual seconds)."""

    octets: bytes
    etag: str
    since: float
    until: float = FOREVER
    digests: dict[tuple[int, int], str] = field(default_factory=dict)

    def has(self, sha256: str, first: int, size: int) -> bool:
        """Whether its `size` bytes from `first` have this digest."""
        known = self.digests.get((first, size))
        if known is None:
            part = self.octets[first : first + size]
            known = self.digests[first, size] = hashlib.sha256(part).hexdigest() if len(part) == size else ""
        return known == sha256


class Oracle:
    """Editions by content name (`film1/v720/1.m4s`). `now` gives virtual seconds."""

    def __init__(
        self, films: Films, titles: Iterable[str], now: Callable[[], float], *, noise: str = ""
    ) -> None:
        """`noise` makes the bytes others than those of every other oracle, under the same names."""
        self._films = films
        self._noise = noise
        self._now = now
        self._editions: dict[str, list[Edition]] = {}
        self._sent: dict[str, list[Edition]] = {}
        self._versions: dict[str, int] = {}
        for title in titles:
            self.publish(title)

    def publish(self, title: str) -> None:
        """Have a title's first, or next, version from now on."""
        self._versions[title] = version = self._versions.get(title, 0) + 1
        now = self._now()
        for path, octets in self._made(title, version).items():
            editions = self._editions.setdefault(path, [])
            if editions:
                editions[-1].until = now
            editions.append(Edition(octets, content_tag(octets), now))

    def _made(self, title: str, version: int) -> dict[str, bytes]:
        films = self._films
        name = ".".join(
            [title, *([self._noise] if self._noise else []), *([str(version)] if version > 1 else [])]
        )
        _, files = film(
            name,
            films.seconds,
            segment_seconds=films.segment_seconds,
            rungs=[(rung.height, rung.bits_per_second) for rung in films.rungs],
            scale=films.scale,
        )
        made = {f"{title}{path.removeprefix(name)}": octets for path, octets in files.items()}
        if name != title:  # manifests do not depend on the noise: let them, too, tell whose they are
            for path in made:
                comment = COMMENTS.get(path[path.rfind(".") :])
                if comment is not None:
                    made[path] += comment % name.encode()
        return made

    # --- the origin's side ------------------------------------------------------------------------
    def find(self, name: str) -> Content | None:
        """Satisfies `ContentSource`."""
        editions = self._editions.get(name)
        if editions is None:
            return None
        last = editions[-1]
        return Content(name, last.etag, EPOCH + last.since, memoryview(last.octets))

    def sent(self, name: str, octets: bytes) -> None:
        """A hostile origin has sent this as the whole of a content: nobody can know better."""
        if any(each.octets == octets for each in self.editions(name)):
            return
        now = self._now()
        self._sent.setdefault(name, []).append(Edition(octets, content_tag(octets), now, now))

    # --- the checkers' side -----------------------------------------------------------------------
    def editions(self, path: str) -> list[Edition]:
        """Every version of the content at a URL path, oldest first."""
        name = path.lstrip("/")
        return [*self._editions.get(name, ()), *self._sent.get(name, ())]

    def which(self, path: str, fetched: Fetched) -> Edition | None:
        """The newest version that a response is: a range of it for progressive films, else all of it."""
        part, first, size = fetched.kind == "progressive", fetched.first_byte, fetched.bytes
        for each in reversed(self.editions(path)):
            if (part or size == len(each.octets)) and each.has(fetched.sha256, first, size):
                return each
        return None

    def content_names(self, title: str = "") -> list[str]:
        """The names of a title's contents, or of all."""
        return [name for name in self._editions if not title or name.startswith(f"{title}/")]
