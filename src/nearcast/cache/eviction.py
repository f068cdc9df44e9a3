"""What every eviction policy is: a memory of use that can name the next victim.

A policy knows keys and sizes, never files, clocks or dice: the same class serves the store, the
simulator and the planner. One policy, one file in `policies/`.
"""

from __future__ import annotations

from typing import Protocol


class EvictionPolicy(Protocol):
    """Told of everything that happens to the objects of one store."""

    def admits(self, key: str, size: int) -> bool:
        """Whether an object that is about to be stored should be. Asked once for each attempt.

        `size`: bytes of its body, as far as they are announced (0 when they are not).
        """
        ...

    def stored(self, key: str, size: int) -> None:
        """An object of `size` bytes came in, or replaced the one that had the key."""
        ...

    def used(self, key: str) -> None:
        """An object was served. Unknown keys are ignored."""
        ...

    def evicted(self, key: str) -> None:
        """An object has left to make room: what the policy thought of it is worth remembering.

        Unknown keys are ignored.
        """
        ...

    def removed(self, key: str) -> None:
        """An object has left for a reason of its own: purged, unreadable, not to be stored any more.

        Nothing of it should be remembered. Unknown keys are ignored.
        """
        ...

    def victim(self) -> str | None:
        """The key that should leave next; None when the policy knows no object."""
        ...
