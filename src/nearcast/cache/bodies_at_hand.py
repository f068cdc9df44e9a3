"""The bodies that can be served without asking the disk.

Small ones are read once and stay in memory; larger ones are mapped. Both are bounded, the first in bytes
and the second in number, because a mapping costs the process a descriptor (CPython before 3.13). Who was
taken up longest ago is let go first: taking it up again costs an open and a map, some ten microseconds,
which is not worth remembering who was used since. Whoever reads a body keeps it, let go or not.
"""

from __future__ import annotations

import errno
from collections import OrderedDict

from nearcast.cache.disk import Disk
from nearcast.cache.index_entry import IndexEntry

SMALL_BYTES_MAX = 64 * 1024  # of a body that is read instead of mapped
HELD_BYTES_MAX = 64 * 1024 * 1024  # of all small ones together

_TOO_MANY_OPEN = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def too_many_open(fault: OSError) -> bool:
    """The file may be sound: it is we who have too much open."""
    return fault.errno in _TOO_MANY_OPEN


class BodiesAtHand:
    """Which entries of an index have their body at hand."""

    def __init__(self, disk: Disk, small_bytes_max: int, held_bytes_max: int, mapped_max: int) -> None:
        self._disk = disk
        self.small_bytes_max = small_bytes_max
        self._bytes_max = held_bytes_max
        self._mapped_max = mapped_max
        self._bytes = 0
        self._small: OrderedDict[str, IndexEntry] = OrderedDict()  # by key, who leaves next first
        self._mapped: OrderedDict[str, IndexEntry] = OrderedDict()

    def keep(self, entry: IndexEntry) -> None:
        """The entry has its body at hand now."""
        key = entry.head.key
        self.let_go(key)
        if entry.length <= self.small_bytes_max:
            while self._small and self._bytes + entry.length > self._bytes_max:
                self.let_go(next(iter(self._small)))
            self._small[key] = entry
            self._bytes += entry.length
        else:
            while self._mapped and len(self._mapped) >= self._mapped_max:
                self.let_go(next(iter(self._mapped)))
            self._mapped[key] = entry

    def let_go(self, key: str) -> None:
        """The entry's body is needed no more; keys that have none at hand are ignored."""
        if (entry := self._small.pop(key, None)) is not None:
            self._bytes -= entry.length
        else:
            entry = self._mapped.pop(key, None)
        if entry is not None:
            entry.at_hand = None

    def read(self, path: str) -> memoryview:
        """A file's octets, in memory. OSError as the disk says."""
        return memoryview(self._disk.read(path))

    def map(self, path: str) -> memoryview:
        """Map a file; when too many are open already, those at hand make room."""
        try:
            return self._disk.map(path)
        except OSError as fault:
            if not self._mapped or not too_many_open(fault):
                raise
            while self._mapped:
                self.let_go(next(iter(self._mapped)))
            return self._disk.map(path)
