"""The catalogue: which titles the CDN carries, and under which path of which distribution."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nearcast.model.title import TITLE_JSON, Title


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One title where viewers find it: `key` is its folder's name, `/clock/manifest.mpd` has "clock"."""

    site: str
    key: str
    title: Title

    def targets(self) -> Iterator[str]:
        """Every path viewers may ask for, title.json first: what a warm fetches and a purge drops."""
        yield f"/{self.key}/{TITLE_JSON}"
        for path in self.title.paths():
            yield f"/{self.key}/{path}"


class Catalogue:
    """The entries in the order they were published, found by key."""

    def __init__(self, entries: Iterable[CatalogueEntry]) -> None:
        self.entries = tuple(entries)
        self._by_key = {entry.key: entry for entry in self.entries}

    def find(self, key: str) -> CatalogueEntry | None:
        """The entry called `key`, or None."""
        return self._by_key.get(key)
