"""Least recently used: who has not been asked for the longest leaves first.

Cheap and well understood, and what a scan of one-time requests defeats: every object read once pushes
out one that is read daily.
"""

from __future__ import annotations

from collections import OrderedDict


class Lru:
    """An `EvictionPolicy` that admits everything."""

    def __init__(self) -> None:
        self._order: OrderedDict[str, None] = OrderedDict()  # the next victim first

    def admits(self, key: str, size: int) -> bool:
        return True

    def stored(self, key: str, size: int) -> None:
        self._order[key] = None
        self._order.move_to_end(key)

    def used(self, key: str) -> None:
        if key in self._order:
            self._order.move_to_end(key)

    def evicted(self, key: str) -> None:
        self._order.pop(key, None)

    def removed(self, key: str) -> None:
        self._order.pop(key, None)

    def victim(self) -> str | None:
        return next(iter(self._order), None)
