"""An object on its way into the store.

It is written under a temporary name, front to back, and nobody finds it in the store before `commit`
has renamed it. What has been written can be read at once, so that those who wait for the object follow
its arrival. When the disk fails or fills up, or the object outgrows its bound, the writer is over but
what was written stays readable: whoever follows goes on with bytes from the wire.

A small body stays in memory as well, so that the usual segment is never read back from its file.
"""

from __future__ import annotations

import errno
import zlib
from collections.abc import Callable

from nearcast.cache.account import Account
from nearcast.cache.bodies_at_hand import BodiesAtHand
from nearcast.cache.body import MappedBody
from nearcast.cache.disk import DiskFile
from nearcast.cache.entry import ObjectHead, StoredObject
from nearcast.cache.object_file import TAIL_BYTES, Found, encode_tail

_NOTHING = memoryview(b"")

Adopt = Callable[[str, Found, StoredObject], None]


class ObjectWriter:
    """Made by `Store.begin`; ends with `commit` or `discard`.

    `adopt` takes the written file, its content and the object into the store, or raises OSError. With `sync`
    the file is synced before that.
    """

    def __init__(
        self,
        account: Account,
        bodies: BodiesAtHand,
        path: str,
        head: ObjectHead,
        start: bytes,
        *,
        adopt: Adopt,
        sync: bool,
    ) -> None:
        self.head = head
        self.length = 0  # bytes of the body written so far
        self._account = account
        self._path = path
        self._start = start
        self._bodies = bodies
        self._adopt = adopt
        self._sync = sync
        self._sum = 0
        self._file: DiskFile | None = None
        self._small: list[bytes] | None = []  # the whole body so far, while it is small
        self._view = _NOTHING  # of the body, as far as it was read back

    @property
    def open(self) -> bool:
        """More can be written; false after `commit`, `discard` and a fault of the disk."""
        return self._file is not None

    @property
    def file_bytes(self) -> int:
        """Size of the file once it is whole."""
        return len(self._start) + self.length + TAIL_BYTES

    def create(self) -> bool:
        """Make the file, whose head and tail are reserved. False when the disk will not have it."""
        try:
            self._file = self._account.create(self._path)
            self._file.write(self._start)
        except OSError:
            self._account.faults_total += 1
            self.discard()
            return False
        return True

    def write(self, octets: bytes) -> bool:
        """Append to the body. False when that cannot be had; the writer is over then."""
        if self._file is None:
            return False
        if not self._account.reserve(self._path, self.file_bytes + len(octets)):
            self.discard()
            return False
        try:
            self._file.write(octets)
        except OSError:
            self._account.faults_total += 1
            self.discard()
            return False
        self._sum = zlib.crc32(octets, self._sum)
        self.length += len(octets)
        if self.length > self._bodies.small_bytes_max:
            self._small = None
        elif self._small is not None:
            self._small.append(octets)
        return True

    def written(self, start: int) -> memoryview:
        """The body from `start` as far as it is written. OSError when the disk cannot give it back."""
        if len(self._view) < self.length:
            self._view = self._read_back()
        return self._view[start : self.length]

    def _read_back(self) -> memoryview:
        if self._small is not None:
            return memoryview(b"".join(self._small))
        offset = len(self._start)
        view = self._bodies.map(self._path) if self._file is not None else _NOTHING
        if len(view) < offset + self.length:
            raise OSError(errno.EIO, "what was written is not there any more")
        return view[offset : offset + self.length]

    def commit(self) -> StoredObject | None:
        """The body is complete: the object is in the store from now on. None when the disk refuses."""
        if self._file is None:
            return None
        try:
            self._file.write(encode_tail(self._start, self.length, self._sum))
            if self._sync:
                self._file.sync()
            found = Found(self.head, len(self._start), self.length, self._sum)
            stored = StoredObject(self.head, MappedBody(self.written(0)))
            self._adopt(self._path, found, stored)
        except OSError:
            self._account.faults_total += 1
            self.discard()
            return None
        self._close()
        return stored

    def discard(self) -> None:
        """Give the file up; what was written stays readable for those who follow."""
        if self._file is None:
            return
        try:
            self.written(0)
        except OSError:  # then `written` says so to whoever needs it
            self._account.faults_total += 1
        self._close()
        self._account.remove(self._path)

    def _close(self) -> None:
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        except OSError:
            self._account.faults_total += 1
