"""An object on its way into the store.

It is written under a temporary name, front to back, and nobody finds it in the store before `commit`
has renamed it. What has been written can be read at once, so that those who wait for the object follow
its arrival. When the disk fails or fills up, or the object outgrows its bound, the writer is over but
what was written stays readable: whoever follows goes on with bytes from the wire.
"""

from __future__ import annotations

import errno
import zlib
from typing import TYPE_CHECKING

from nearcast.cache.disk import DiskFile
from nearcast.cache.entry import ObjectHead, StoredObject
from nearcast.cache.object_file import TAIL_BYTES, encode_tail

if TYPE_CHECKING:
    from nearcast.cache.store import Store

RESERVE_BYTES = 1024 * 1024  # taken at a time when the length is not known

_NOTHING = memoryview(b"")


class ObjectWriter:
    """Made by `Store.begin`; ends with `commit` or `discard`."""

    def __init__(self, store: Store, path: str, head: ObjectHead, start: bytes) -> None:
        self.head = head
        self.length = 0  # bytes of the body written so far
        self.size = 0  # bytes of the store reserved for it
        self._store = store
        self._path = path
        self._start = start
        self._sum = 0
        self._file: DiskFile | None = None
        self._attempted = len(start)  # bytes the file has at most
        self._view = _NOTHING  # of the file, as far as it was mapped

    @property
    def open(self) -> bool:
        """More can be written; false after `commit`, `discard` and a fault of the disk."""
        return self._file is not None

    @property
    def attempted_bytes(self) -> int:
        """Size the file has now at most, whatever failed."""
        return self._attempted

    @property
    def file_bytes(self) -> int:
        """Size of the file once it is whole."""
        return len(self._start) + self.length + TAIL_BYTES

    def create(self) -> None:
        """Make the file. OSError when the disk will not have it."""
        self._file = self._store.disk.create(self._path)
        self._file.write(self._start)

    def write(self, octets: bytes) -> bool:
        """Append to the body. False when that cannot be had; the writer is over then."""
        if self._file is None:
            return False
        if not self._store.make_room(self, self.file_bytes + len(octets)):
            self.discard()
            return False
        self._attempted += len(octets)
        try:
            self._file.write(octets)
        except OSError:
            self._store.faults_total += 1
            self.discard()
            return False
        self._sum = zlib.crc32(octets, self._sum)
        self.length += len(octets)
        return True

    def written(self, start: int) -> memoryview:
        """The body from `start` as far as it is written. OSError when the disk cannot give it back."""
        offset = len(self._start)
        if self._file is not None and len(self._view) < offset + self.length:
            self._view = self._store.map(self._path)
        if len(self._view) < offset + self.length:
            raise OSError(errno.EIO, "what was written is not there any more")
        return self._view[offset + start : offset + self.length]

    def commit(self) -> StoredObject | None:
        """The body is complete: the object is in the store from now on. None when the disk refuses."""
        if self._file is None:
            return None
        self._attempted = self.file_bytes
        try:
            self._file.write(encode_tail(self._start, self.length, self._sum))
            if self._store.sync:
                self._file.sync()
            entry = StoredObject(self.head, self.written(0))
            self._store.adopt(self, self._path, entry)
        except OSError:
            self._store.faults_total += 1
            self.discard()
            return None
        self._close()
        return entry

    def discard(self) -> None:
        """Give the file up; what was written stays readable for those who follow."""
        if self._file is None:
            return
        try:
            if self.length:
                self.written(0)
        except OSError:  # then `written` says so to whoever needs it
            self._store.faults_total += 1
        self._close()
        self._store.forget(self, self._path)

    def _close(self) -> None:
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        except OSError:
            self._store.faults_total += 1
