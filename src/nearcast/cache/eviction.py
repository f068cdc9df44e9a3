"""What every eviction policy is: a memory of use that can name the next victim.

A policy knows keys and sizes, never files, clocks or dice: the same class serves the store, the
simulator and the planner. One policy, one file.
"""

from __future__ import annotations

from typing import Protocol


class EvictionPolicy(Protocol):
    """Told of everything that happens to the objects of one store."""

    def stored(self, key: str, size: int) -> None:
        """An object of `size` bytes came in, or replaced the one that had the key."""
        ...

    def used(self, key: str) -> None:
        """An object was served. Unknown keys are ignored."""
        ...

    def removed(self, key: str) -> None:
        """An object has left, evicted or purged. Unknown keys are ignored."""
        ...

    def victim(self) -> str | None:
        """The key that should leave next; None when the policy knows no object."""
        ...
