"""The oracle: what the origin has and had, at which times; what everything that was served is held against.

It is the origin's content source, so what it says and what the origin serves cannot differ. A title that
is replaced keeps its paths and sizes; its bytes are others, so bytes tell the version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from nearcast.origin.content import Content, content_tag
from nearcast.origin.media import KINDS, MediaType
from nearcast.simulate.play.script import Films
from nearcast.simulate.play.synthetic import film
from nearcast.simulate.world.host import EPOCH

FOREVER = float("inf")
SEGMENT_SECONDS = 31_536_000  # how long what never changes under its name may be kept
MANIFESTS = (".mpd", ".m3u8", ".json")
COMMENTS = {".mpd": b"<!-- %d -->\n", ".m3u8": b"# %d\n"}


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

    def __init__(self, films: Films, titles: Iterable[str], now: Callable[[], float]) -> None:
        self._films = films
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
        name = title if version == 1 else f"{title}.{version}"
        _, files = film(
            name,
            films.seconds,
            segment_seconds=films.segment_seconds,
            rungs=[(rung.height, rung.bits_per_second) for rung in films.rungs],
            scale=films.scale,
        )
        made = {f"{title}{path.removeprefix(name)}": octets for path, octets in files.items()}
        if version > 1:  # manifests do not depend on the noise: let them, too, tell their version
            for path in made:
                comment = COMMENTS.get(path[path.rfind(".") :])
                if comment is not None:
                    made[path] += comment % version
        return made

    # --- the origin's side ------------------------------------------------------------------------
    def find(self, name: str) -> Content | None:
        """Satisfies `ContentSource`."""
        editions = self._editions.get(name)
        if editions is None:
            return None
        last = editions[-1]
        return Content(name, last.etag, EPOCH + last.since, memoryview(last.octets))

    def kinds(self) -> Mapping[str, MediaType]:
        """How the origin types its contents, and what it says about keeping them: our own table."""
        films = self._films
        manifest = f"public, max-age={films.manifest_seconds}"
        if films.manifest_stale_seconds:
            manifest += f", stale-while-revalidate={films.manifest_stale_seconds}"
        segment = f"public, max-age={SEGMENT_SECONDS}, immutable"
        return {
            suffix: MediaType(kind.media_type, manifest if suffix in MANIFESTS else segment)
            for suffix, kind in KINDS.items()
        }

    def sent(self, name: str, octets: bytes) -> None:
        """A hostile origin has sent this as the whole of a content: nobody can know better."""
        if any(each.octets == octets for each in self.editions(name)):
            return
        now = self._now()
        self._sent.setdefault(name, []).append(Edition(octets, content_tag(octets), now, now))

    # --- the checkers' side -----------------------------------------------------------------------
    def lifetime(self, path: str) -> float:
        """How long the origin lets the content at a URL path be kept unasked, in seconds."""
        return self._films.manifest_seconds if path.endswith(MANIFESTS) else SEGMENT_SECONDS

    def grace(self, path: str) -> float:
        """How long after its lifetime it may still be served while it is being confirmed, in seconds."""
        return self._films.manifest_stale_seconds if path.endswith(MANIFESTS) else 0.0

    def editions(self, path: str) -> list[Edition]:
        """Every version of the content at a URL path, oldest first."""
        name = path.lstrip("/")
        return [*self._editions.get(name, ()), *self._sent.get(name, ())]

    def content_names(self, title: str = "") -> list[str]:
        """The names of a title's contents, or of all."""
        return [name for name in self._editions if not title or name.startswith(f"{title}/")]
