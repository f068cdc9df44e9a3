"""The running fills: at most one per object, and a bound that no site or client can exhaust."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from nearcast.edge.fill import Fill, FillDependencies, FillRequest
from nearcast.edge.shares import Shares
from nearcast.model.faults import UpstreamFault

# What a body that is not stored may hold at most: pieces that wait for its viewer (WINDOW_BYTES and the last
# piece), what the client has read ahead (BUFFER_BYTES and the last read), what the viewer's connection has
# not sent. Reads are of 256 KiB at most.
PASSING_BYTES = 1024 * 1024
BUFFER_BYTES = 128 * 1024  # of what the origin sends ahead of us

log = logging.getLogger(__name__)


def passing_max(bytes_max: int) -> int:
    """Bodies that may be passed on without being stored, at once, when they may take `bytes_max` in all."""
    return max(1, bytes_max // PASSING_BYTES)


class Fills:
    """Starts fills and lets simultaneous misses share one."""

    def __init__(self, use: FillDependencies, fills_max: int) -> None:
        self.started_total = 0
        self.shares = Shares(fills_max)
        self._use = use
        self._by_key: dict[str, Fill] = {}
        self._tasks: dict[asyncio.Task[None], Fill] = {}

    def running(self, key: str) -> Fill | None:
        """The fill of `key` that can be joined."""
        fill = self._by_key.get(key)
        return fill if fill is not None and fill.joinable else None

    def keys(self) -> list[str]:
        """What is being fetched."""
        return list(self._by_key)

    def start(self, wanted: FillRequest) -> Fill | None:
        """Begin a fill. None when there are too many already, of its site or its client or in all."""
        if not self.shares.take(wanted.site.name, wanted.client):
            return None
        fill = Fill(wanted, self._use)
        if wanted.shared:
            self._by_key[wanted.key] = fill
        self.started_total += 1
        task = asyncio.get_running_loop().create_task(fill.run())
        self._tasks[task] = fill
        task.add_done_callback(self._ended)
        return fill

    def purge(self, keys: Iterable[str] | None) -> None:
        """What is being fetched under these keys (None: all) must not be stored, nor joined."""
        purged = None if keys is None else set(keys)
        for fill in self._tasks.values():
            if purged is None or fill.wanted.key in purged:
                fill.purged = True

    async def cancel(self) -> None:
        """Stop all of them; their followers are broken off."""
        tasks = list(self._tasks)
        self.abort()
        await asyncio.gather(*tasks, return_exceptions=True)

    def abort(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        fill = self._tasks.pop(task)
        self.shares.give_back(fill.wanted.site.name, fill.wanted.client)
        key = fill.wanted.key
        if self._by_key.get(key) is fill:
            del self._by_key[key]
        if not fill.finished.is_set():  # cancelled, perhaps before its first step, or crashed
            fill.fail(UpstreamFault(fill.wanted.site.origin.host, "this server stopped fetching"))
        if not task.cancelled() and (crash := task.exception()) is not None:
            log.error("the fill of %s crashed", key, exc_info=crash)
