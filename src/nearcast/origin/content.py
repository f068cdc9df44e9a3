"""What an origin serves, and where it comes from.

A `ContentSource` is asked by name (see `origin.paths`) and answers at once; it never waits. That keeps
the origin the same whether the truth is a directory, a dictionary in a test, or a virtual world.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple, Protocol


class Content(NamedTuple):
    """One version of one thing to serve: its tag and its bytes belong together, whatever is published
    meanwhile."""

    name: str  # decides media type and lifetime
    etag: str  # strong, with its quotes
    modified: float  # Unix seconds
    octets: memoryview

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.octets)


class ContentSource(Protocol):
    """Where contents come from."""

    def find(self, name: str) -> Content | None:
        """The content of that name, None when there is none. OSError when the storage fails."""
        ...


def content_tag(octets: bytes | memoryview) -> str:
    """A strong entity tag made from the content alone: equal content, equal tag, on every origin."""
    return f'"{hashlib.blake2b(octets, digest_size=16).hexdigest()}"'


class MemorySource:
    """Contents in a mapping from name to bytes; the mapping may change."""

    def __init__(self, contents: Mapping[str, bytes], modified: float = 0.0) -> None:
        self._contents = contents
        self._modified = modified

    def find(self, name: str) -> Content | None:
        octets = self._contents.get(name)
        if octets is None:
            return None
        return Content(name, content_tag(octets), self._modified, memoryview(octets))


class Stacked:
    """Several sources: the first that has a content gives it."""

    def __init__(self, *sources: ContentSource) -> None:
        self._sources = sources

    def find(self, name: str) -> Content | None:
        for source in self._sources:
            if (content := source.find(name)) is not None:
                return content
        return None


class Mounted:
    """A source below a prefix: with `Mounted("player", pages)`, `player/a.js` is the pages' `a.js`."""

    def __init__(self, prefix: str, source: ContentSource) -> None:
        self._prefix = prefix + "/"
        self._source = source

    def find(self, name: str) -> Content | None:
        if not name.startswith(self._prefix):
            return None
        return self._source.find(name.removeprefix(self._prefix))


class OnePage:
    """One page for every name directly below a prefix: `watch/clock`, `watch/bunny`, … are all the
    source's `watch.html`; the page reads from its own address what it is to show."""

    def __init__(self, prefix: str, source: ContentSource, page: str) -> None:
        self._prefix = prefix + "/"
        self._source = source
        self._page = page

    def find(self, name: str) -> Content | None:
        rest = name.removeprefix(self._prefix)
        return self._source.find(self._page) if rest != name and "/" not in rest else None
