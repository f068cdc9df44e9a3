"""Things that are known for a while: bounded in number, the oldest gives way.

What is remembered about the world outside (who failed, which servers a zone has) grows with the names
that strangers ask for; so it has a bound, and what is over does not count against what holds.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Expiring(Generic[K, V]):
    """At most `count_max` things, each until its time, which is in seconds of the clock handed in."""

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._kept: dict[K, tuple[float, V]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K, now: float) -> V | None:
        """What is known of `key`, None when nothing is or its time is over."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        until, value = kept
        if until > now:
            return value
        del self._kept[key]
        return None

    def keep(self, key: K, value: V, until: float) -> None:
        """Know `value` of `key` until then, in place of whatever was known."""
        self._kept.pop(key, None)
        while len(self._kept) >= self._count_max:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = until, value

    def forget(self, key: K) -> None:
        """Know nothing of `key`."""
        self._kept.pop(key, None)
