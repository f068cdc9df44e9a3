"""The store: whole objects on a `Disk`, and the index that finds them.

    objects/<digest of key>    one whole object (object_file.py)
    filling/<number>           one that is being written; removed when the store opens

A cache may forget, but it must not be wrong. So:

- An object is written under a temporary name and renamed when it is whole; a reader finds the old one
  or the new one. The index is nothing but what the files say, and is rebuilt from them at start.
- A crash may lose or tear what was not synced. By default nothing is synced (`sync=False`: a disk's
  sync takes milliseconds of the loop, and the origin has it all); a torn file is recognised by its
  checksums. A body found at start is checked in full before it is served for the first time. With
  `sync=True` file and directory are synced before an object counts as stored, and it survives.
- A purge is a promise: the directory is synced before it is acknowledged, so that no crash brings a
  purged object back.
- At most `bytes_max` bytes of files, those being written included. (A mapping may outlive its evicted
  file; the disk gets those bytes back when the last reader is done.)
- A disk that is full or fails makes `begin` return None, or a `ObjectWriter` end early: the caller proxies.
  A file that cannot be read is a miss. A file that cannot be removed stays on the account. As long as the
  disk does not say what an earlier run left, nothing is stored and no purge is acknowledged: what nobody
  knows can neither be counted nor be dropped.

All calls are synchronous. A confirmation (304) renews an object in memory only; after a restart it is
confirmed once more.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import replace
from hashlib import blake2b

from nearcast.cache.disk import Disk
from nearcast.cache.entry import ObjectHead, StoredObject
from nearcast.cache.eviction import EvictionPolicy
from nearcast.cache.lru import Lru
from nearcast.cache.object_file import HEAD_BYTES_MAX, TAIL_BYTES, Found, encode_start, parse_object
from nearcast.cache.object_writer import RESERVE_BYTES, ObjectWriter

OBJECTS = "objects"
FILLING = "filling"
MAPPED_MAX = 256  # a mapping holds a file descriptor (CPython before 3.13 cannot do without)

_TOO_MANY_OPEN = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class Store:
    """Objects by key. `open` it before anything else."""

    def __init__(
        self,
        disk: Disk,
        bytes_max: int,
        *,
        policy: EvictionPolicy | None = None,
        sync: bool = False,
        mapped_max: int = MAPPED_MAX,
    ) -> None:
        self.disk = disk
        self.bytes_max = bytes_max
        self.sync = sync
        self.faults_total = 0  # of the disk
        self.dropped_total = 0  # files that were no whole objects
        self.evicted_total = 0
        self._policy = policy or Lru()
        self._index: dict[str, ObjectHead] = {}
        self._sizes: dict[str, int] = {}  # of the files in objects/ and filling/, removable or not, by path
        self._bytes = 0  # sum of _sizes
        self._unchecked: set[str] = set()  # keys found at start whose bodies nobody has read yet
        self._mapped: dict[str, StoredObject] = {}
        self._mapped_max = mapped_max
        self._fillings = 0
        self._unsynced = False  # a removal or renaming may be undone by a crash
        self._opened = False  # what an earlier run left is known

    # --- what is there ----------------------------------------------------------------------------
    @property
    def bytes_stored(self) -> int:
        """Bytes of all files, those being written included."""
        return self._bytes

    @property
    def object_bytes_max(self) -> int:
        """The largest file that is stored; one object must not push out everything else."""
        return self.bytes_max // 2

    def __len__(self) -> int:
        return len(self._index)

    def keys(self) -> list[str]:
        """Every key in the store, in no order."""
        return list(self._index)

    def head(self, key: str) -> ObjectHead | None:
        """What is known of an object, without using it."""
        return self._index.get(key)

    def get(self, key: str) -> StoredObject | None:
        """The whole object, None when there is none or the disk cannot give it."""
        entry = self._mapped.get(key)
        if entry is None:
            head = self._index.get(key)
            if head is None:
                return None
            entry = self._read(head)
            if entry is None:
                return None
            self._keep_mapped(entry)
        self._policy.used(key)
        return entry

    # --- what comes in ----------------------------------------------------------------------------
    def begin(self, head: ObjectHead, length: int | None) -> ObjectWriter | None:
        """Begin to write an object whose body has `length` bytes (None: not known yet).

        None when it is too large, or there is no room, or the disk will not: then it is not stored.
        """
        start = encode_start(head)
        if len(start) > HEAD_BYTES_MAX:
            return None
        if not self._opened and not self.open():
            return None
        self._fillings += 1
        path = f"{FILLING}/{self._fillings}"
        writer = ObjectWriter(self, path, head, start)
        if not self.make_room(writer, len(start) + (length or 0) + TAIL_BYTES):
            return None
        try:
            writer.create()
        except OSError:
            self.faults_total += 1
            if writer.open:
                writer.discard()
            else:
                self.forget(writer, None)
            return None
        return writer

    def refresh(self, old: ObjectHead, new: ObjectHead) -> bool:
        """The origin confirmed the object: it is `new` now. False when `old` has left meanwhile."""
        if self._index.get(old.key) is not old:
            return False
        self._index[old.key] = new
        if (entry := self._mapped.get(old.key)) is not None:
            self._mapped[old.key] = replace(entry, head=new)
        return True

    # --- what goes out ----------------------------------------------------------------------------
    def evict(self, key: str) -> bool:
        """Remove an object to make room. A crash may bring it back."""
        if self._index.pop(key, None) is None:
            return False
        self._mapped.pop(key, None)
        self._unchecked.discard(key)
        self._policy.removed(key)
        self._remove(_path(key))
        return True

    def purge(self, keys: Iterable[str]) -> int:
        """Remove objects for good; how many there were. OSError when a crash might bring one back."""
        self._must_be_open()
        paths = []
        removed = 0
        for key in keys:
            removed += self.evict(key)
            paths.append(_path(key))
        self._remove_for_good(paths)
        return removed

    def purge_all(self) -> int:
        """Remove everything for good; how many objects there were. OSError as for `purge`."""
        self._must_be_open()
        removed = sum([self.evict(key) for key in list(self._index)])
        self._remove_for_good([path for path in self._sizes if path.startswith(OBJECTS)])
        return removed

    def resize(self, bytes_max: int) -> None:
        """Change the bound; evicts what does not fit any more."""
        self.bytes_max = bytes_max
        self._evict_until(0)

    # --- start ------------------------------------------------------------------------------------
    def open(self) -> bool:
        """Find what an earlier run left. False when the disk fails: the store is empty then, not broken, and
        is opened again when something is to be stored or purged."""
        heads: list[ObjectHead] = []
        try:
            for folder in (OBJECTS, FILLING):
                self.disk.make_directory(folder)
            if self.sync:
                self.disk.sync_directory("")
            for name, size in self.disk.entries(FILLING):
                self._account(f"{FILLING}/{name}", size)
                self._remove(f"{FILLING}/{name}")
                self._fillings = max(self._fillings, int(name) if name.isdigit() else 0)
            for name, size in self.disk.entries(OBJECTS):
                path = f"{OBJECTS}/{name}"
                self._account(path, size)
                if (head := self._find(path)) is not None:
                    heads.append(head)
        except OSError:
            self.faults_total += 1
            return False
        self._opened = True
        for head in sorted(heads, key=lambda head: (head.stored_at, head.key)):
            self._index[head.key] = head
            self._unchecked.add(head.key)
            self._policy.stored(head.key, self._sizes[_path(head.key)])
        self._evict_until(0)
        return True

    def _find(self, path: str) -> ObjectHead | None:
        """The head of the object at `path`; what is not a whole object there is removed."""
        try:
            found = parse_object(self.map(path))
        except OSError:
            self.faults_total += 1
            return None
        if found is None or _path(found.head.key) != path:
            self.dropped_total += 1
            self._remove(path)
            return None
        return found.head

    def _must_be_open(self) -> None:
        if not self._opened and not self.open():
            raise OSError(errno.EIO, "what is on the disk is not known yet", OBJECTS)

    # --- bodies -----------------------------------------------------------------------------------
    def map(self, path: str) -> memoryview:
        """Map a file; when too many are mapped already, the kept mappings make room."""
        try:
            return self.disk.map(path)
        except OSError as fault:
            if fault.errno not in _TOO_MANY_OPEN or not self._mapped:
                raise
            self._mapped.clear()
            return self.disk.map(path)

    def _read(self, head: ObjectHead) -> StoredObject | None:
        try:
            file = self.map(_path(head.key))
        except OSError as fault:
            self.faults_total += 1
            if fault.errno not in _TOO_MANY_OPEN:
                self.evict(head.key)
            return None
        found = parse_object(file)
        if found is None or not self._is_sound(head.key, found, file):
            self.dropped_total += 1
            self.evict(head.key)
            return None
        self._unchecked.discard(head.key)
        return StoredObject(head, file[found.start : found.start + found.length])

    def _is_sound(self, key: str, found: Found, file: memoryview) -> bool:
        return found.head.key == key and (key not in self._unchecked or found.body_is_sound(file))

    def _keep_mapped(self, entry: StoredObject) -> None:
        self._mapped.pop(entry.head.key, None)
        while self._mapped and len(self._mapped) >= self._mapped_max:
            del self._mapped[next(iter(self._mapped))]
        self._mapped[entry.head.key] = entry

    # --- for ObjectWriter ------------------------------------------------------------------------------
    def make_room(self, writer: ObjectWriter, size: int) -> bool:
        """Reserve `size` bytes in all for `writer`; false when the store cannot hold it."""
        if size <= writer.size:
            return True
        if size > self.object_bytes_max:
            return False
        if writer.size:  # it grows beyond what was announced: take more at a time
            size = min(max(size, writer.size + RESERVE_BYTES), self.object_bytes_max)
        if not self._evict_until(size - writer.size):
            return False
        self._bytes += size - writer.size
        writer.size = size
        return True

    def adopt(self, writer: ObjectWriter, path: str, entry: StoredObject) -> None:
        """A written file becomes the object of its key. OSError when the disk refuses."""
        key = entry.head.key
        final = _path(key)
        size = writer.file_bytes
        self.disk.rename(path, final)
        self._unsynced = True
        self._bytes -= writer.size
        writer.size = 0
        self._account(final, size)
        self._index[key] = entry.head
        self._unchecked.discard(key)
        self._policy.stored(key, size)
        self._keep_mapped(entry)
        if self.sync:
            try:
                self._settle()
            except OSError:
                self.evict(key)
                raise

    def forget(self, writer: ObjectWriter, path: str | None) -> None:
        """A writer ended without an object; `path` is None when there is not even a file."""
        self._bytes -= writer.size
        if path is not None and writer.size:
            self._account(path, writer.attempted_bytes)
            self._remove(path)
        writer.size = 0

    # --- files ------------------------------------------------------------------------------------
    def _evict_until(self, room: int) -> bool:
        """Evict until `room` more bytes fit."""
        while self._bytes + room > self.bytes_max:
            victim = self._policy.victim()
            if victim is None:
                return False
            self.evict(victim)
            self.evicted_total += 1
        return True

    def _account(self, path: str, size: int) -> None:
        self._bytes += size - self._sizes.get(path, 0)
        self._sizes[path] = size

    def _remove(self, path: str) -> None:
        """Remove a file; it leaves the account when it is gone."""
        try:
            self.disk.remove(path)
        except FileNotFoundError:
            pass
        except OSError:
            self.faults_total += 1
            return
        self._unsynced = True
        self._bytes -= self._sizes.pop(path, 0)

    def _remove_for_good(self, paths: list[str]) -> None:
        for path in paths:
            if path in self._sizes:  # its removal failed, now or earlier
                self._remove(path)
            if path in self._sizes:
                raise OSError(errno.EIO, "a purged object cannot be removed from the disk", path)
        self._settle()

    def _settle(self) -> None:
        """Make every removal and renaming so far survive a crash. OSError when the disk refuses."""
        if self._unsynced:
            self.disk.sync_directory(OBJECTS)
            self._unsynced = False


def _path(key: str) -> str:
    return f"{OBJECTS}/{blake2b(key.encode(), digest_size=16).hexdigest()}"
