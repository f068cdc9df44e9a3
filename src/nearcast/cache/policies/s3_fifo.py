"""S3-FIFO: three queues, and nothing moves on a hit (Yang et al., SOSP 2023).

What comes in waits in a *small* queue, a tenth of the bytes. When it reaches the front and was used
meanwhile, it moves to the *main* queue; otherwise it leaves, and its key is remembered for a while as a
*ghost*. Who comes back while its ghost is remembered goes to the main queue at once. There an object
that was used goes round again, once for every use, up to three.

So a scan of one-time requests passes through the small queue and leaves the daily objects alone.
"""

from __future__ import annotations

from collections import OrderedDict

SMALL_PART = 0.1  # of the bytes of all objects
USES_MAX = 3  # more are not counted
GHOSTS_MIN = 64  # remembered even by a store of few objects


class _Node:
    """An object in a queue."""

    __slots__ = ("size", "uses")

    def __init__(self, size: int) -> None:
        self.size = size
        self.uses = 0


_Queue = OrderedDict[str, _Node]  # the front first


class S3Fifo:
    """An `EvictionPolicy` that admits everything."""

    def __init__(self) -> None:
        self._small: _Queue = OrderedDict()
        self._main: _Queue = OrderedDict()
        self._small_bytes = 0
        self._main_bytes = 0
        self._ghosts: OrderedDict[str, None] = OrderedDict()

    def admits(self, key: str, size: int) -> bool:
        return True

    def stored(self, key: str, size: int) -> None:
        known = key in self._main or key in self._ghosts
        self.removed(key)
        if known:
            self._main[key] = _Node(size)
            self._main_bytes += size
        else:
            self._small[key] = _Node(size)
            self._small_bytes += size

    def used(self, key: str) -> None:
        node = self._main.get(key) or self._small.get(key)
        if node is not None and node.uses < USES_MAX:
            node.uses += 1

    def evicted(self, key: str) -> None:
        was_small = key in self._small
        self.removed(key)
        if was_small:
            self._ghosts[key] = None
            while len(self._ghosts) > max(GHOSTS_MIN, len(self._main)):
                self._ghosts.popitem(last=False)

    def removed(self, key: str) -> None:
        self._ghosts.pop(key, None)
        if (node := self._small.pop(key, None)) is not None:
            self._small_bytes -= node.size
        elif (node := self._main.pop(key, None)) is not None:
            self._main_bytes -= node.size

    def victim(self) -> str | None:
        while self._small or self._main:
            if self._small and (
                not self._main or self._small_bytes >= SMALL_PART * (self._small_bytes + self._main_bytes)
            ):
                key, node = next(iter(self._small.items()))
                if not node.uses:
                    return key
                del self._small[key]
                self._small_bytes -= node.size
                self._main_bytes += node.size
                node.uses = 0
                self._main[key] = node
            else:
                key, node = next(iter(self._main.items()))
                if not node.uses:
                    return key
                node.uses -= 1
                self._main.move_to_end(key)
        return None
