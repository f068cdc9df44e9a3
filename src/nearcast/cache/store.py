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
- At most `bytes_max` bytes of files, those being written included, as `account.py` counts them. (A mapping
  may outlive its evicted file; the disk gets those bytes back when the last reader is done.)
- A disk that is full or fails makes `begin` return None, or an `ObjectWriter` end early: the caller proxies.
  A file that cannot be read is a miss. A file that cannot be removed stays on the account. As long as the
  disk does not say what an earlier run left, nothing is stored and no purge is acknowledged: what nobody
  knows can neither be counted nor be dropped.

All calls are synchronous. A confirmation (304) renews an object in memory only; after a restart it is
confirmed once more.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from hashlib import blake2b

from nearcast.cache.account import Account
from nearcast.cache.bodies_at_hand import HELD_BYTES_MAX, SMALL_BYTES_MAX, BodiesAtHand, too_many_open
from nearcast.cache.body import MappedBody
from nearcast.cache.disk import Disk
from nearcast.cache.entry import ObjectHead, StoredObject
from nearcast.cache.eviction import EvictionPolicy
from nearcast.cache.index_entry import IndexEntry
from nearcast.cache.object_file import HEAD_BYTES_MAX, TAIL_BYTES, Found, encode_start, parse_object
from nearcast.cache.object_writer import ObjectWriter
from nearcast.cache.policies.lru import Lru

OBJECTS = "objects"
FILLING = "filling"


class Store:
    """Objects by key. `open` it before anything else.

    Bodies of up to `small_bytes_max` are kept in memory, `held_bytes_max` in all, and at most `mapped_max` of
    the larger ones mapped (default: what the disk grants).
    """

    def __init__(
        self,
        disk: Disk,
        bytes_max: int,
        *,
        policy: EvictionPolicy | None = None,
        sync: bool = False,
        small_bytes_max: int = SMALL_BYTES_MAX,
        held_bytes_max: int = HELD_BYTES_MAX,
        mapped_max: int | None = None,
    ) -> None:
        self.disk = disk
        self.sync = sync
        self.account = Account(disk, bytes_max, self._evict_one)
        self.dropped_total = 0  # files that were no whole objects
        self.evicted_total = 0
        self._policy = policy or Lru()
        self._index: dict[str, IndexEntry] = {}
        mapped_max = disk.mapped_max if mapped_max is None else mapped_max
        self._bodies = BodiesAtHand(disk, small_bytes_max, held_bytes_max, mapped_max)
        self._fillings = 0
        self._opened = False  # what an earlier run left is known

    # --- what is there ----------------------------------------------------------------------------
    @property
    def bytes_max(self) -> int:
        """Bytes that the store may take."""
        return self.account.bytes_max

    @property
    def bytes_stored(self) -> int:
        """Bytes of all files, those being written included."""
        return self.account.bytes_taken

    @property
    def faults_total(self) -> int:
        """Operations of the disk that failed."""
        return self.account.faults_total

    def __len__(self) -> int:
        return len(self._index)

    def keys(self) -> list[str]:
        """Every key in the store, in no order."""
        return list(self._index)

    def head(self, key: str) -> ObjectHead | None:
        """What is known of an object, without using it."""
        entry = self._index.get(key)
        return None if entry is None else entry.head

    def get(self, key: str) -> StoredObject | None:
        """The whole object, None when there is none or the disk cannot give it."""
        entry = self._index.get(key)
        if entry is None:
            return None
        stored = entry.at_hand or self._take_up(entry)
        if stored is not None:
            self._policy.used(key)
        return stored

    def at_hand(self, key: str) -> StoredObject | None:
        """The whole object if the disk need not be asked for it. That does not count as use: see `used`."""
        entry = self._index.get(key)
        return None if entry is None else entry.at_hand

    def used(self, key: str) -> None:
        """An object that was at hand was served."""
        self._policy.used(key)

    # --- what comes in ----------------------------------------------------------------------------
    def begin(self, head: ObjectHead, length: int | None) -> ObjectWriter | None:
        """Begin to write an object whose body has `length` bytes (None: not known yet).

        None when it is too large, or not admitted, or there is no room, or the disk will not: then it is not
        stored. Room is taken for what has come, never for what was announced.
        """
        start = encode_start(head)
        if len(start) > HEAD_BYTES_MAX:
            return None
        if len(start) + (length or 0) + TAIL_BYTES > self.account.object_bytes_max:
            return None
        if not self._opened and not self.open():
            return None
        if not self._policy.admits(head.key, length or 0):
            return None
        self._fillings += 1
        path = f"{FILLING}/{self._fillings}"
        if not self.account.reserve(path, len(start) + TAIL_BYTES):
            return None
        writer = ObjectWriter(
            self.account, self._bodies, path, head, start, adopt=self._adopt, sync=self.sync
        )
        return writer if writer.create() else None

    def refresh(self, old: ObjectHead, new: ObjectHead) -> bool:
        """The origin confirmed the object: it is `new` now. False when `old` has left meanwhile."""
        entry = self._index.get(old.key)
        if entry is None or entry.head is not old:
            return False
        entry.head = new
        if entry.at_hand is not None:
            entry.at_hand = StoredObject(new, entry.at_hand.body)
        return True

    def _adopt(self, path: str, found: Found, stored: StoredObject) -> None:
        """A written file becomes the object of its key. OSError when the disk refuses."""
        key = stored.head.key
        final = _path(key)
        self.account.rename(path, final)
        self._bodies.let_go(key)
        entry = self._index[key] = IndexEntry(found, checked=True)
        entry.at_hand = stored
        self._bodies.keep(entry)
        self._policy.stored(key, self.account.taken(final))
        if self.sync:
            try:
                self.account.settle(OBJECTS)
            except OSError:
                self.remove(key)
                raise

    # --- what goes out ----------------------------------------------------------------------------
    def remove(self, key: str) -> bool:
        """Remove an object that must not be served any more. A crash may bring it back."""
        if not self._take_out(key):
            return False
        self._policy.removed(key)
        return True

    def _evict_one(self) -> bool:
        """Remove an object to make room; false when there is none."""
        victim = self._policy.victim()
        if victim is None:
            return False
        self._take_out(victim)
        self._policy.evicted(victim)
        self.evicted_total += 1
        return True

    def _take_out(self, key: str) -> bool:
        if self._index.pop(key, None) is None:
            return False
        self._bodies.let_go(key)
        self.account.remove(_path(key))
        return True

    def purge(self, keys: Iterable[str]) -> int:
        """Remove objects for good; how many there were. OSError when a crash might bring one back."""
        self._must_be_open()
        paths = []
        removed = 0
        for key in keys:
            removed += self.remove(key)
            paths.append(_path(key))
        self._remove_for_good(paths)
        return removed

    def purge_all(self) -> int:
        """Remove everything for good; how many objects there were. OSError as for `purge`."""
        self._must_be_open()
        removed = sum([self.remove(key) for key in list(self._index)])
        self._remove_for_good([path for path in self.account.paths() if path.startswith(OBJECTS)])
        return removed

    def resize(self, bytes_max: int) -> None:
        """Change the bound; evicts what does not fit any more."""
        self.account.bytes_max = bytes_max
        self.account.make_room()

    def _remove_for_good(self, paths: list[str]) -> None:
        for path in paths:
            # What is still on the account could not be removed, now or earlier.
            if self.account.taken(path) and not self.account.remove(path):
                raise OSError(errno.EIO, "a purged object cannot be removed from the disk", path)
        self.account.settle(OBJECTS)

    # --- start ------------------------------------------------------------------------------------
    def open(self) -> bool:
        """Find what an earlier run left. False when the disk fails: the store is empty then, not broken, and
        is opened again when something is to be stored or purged."""
        entries: list[IndexEntry] = []
        try:
            for folder in (OBJECTS, FILLING):
                self.disk.make_directory(folder)
            if self.sync:
                self.disk.sync_directory("")
            for name, size in self.disk.entries(FILLING):
                self.account.found(f"{FILLING}/{name}", size)
                self.account.remove(f"{FILLING}/{name}")
                self._fillings = max(self._fillings, int(name) if name.isdigit() else 0)
            for name, size in self.disk.entries(OBJECTS):
                path = f"{OBJECTS}/{name}"
                self.account.found(path, size)
                if (found := self._find(path)) is not None:
                    entries.append(IndexEntry(found, checked=False))
        except OSError:
            self.account.faults_total += 1
            return False
        self._opened = True
        for entry in sorted(entries, key=lambda entry: (entry.head.stored_at, entry.head.key)):
            key = entry.head.key
            self._index[key] = entry
            self._policy.stored(key, self.account.taken(_path(key)))
        self.account.make_room()
        return True

    def _find(self, path: str) -> Found | None:
        """The object at `path`; what is not a whole object there is removed."""
        try:
            found = parse_object(self._bodies.map(path))
        except OSError:
            self.account.faults_total += 1
            return None
        if found is None or _path(found.head.key) != path:
            self.dropped_total += 1
            self.account.remove(path)
            return None
        return found

    def _must_be_open(self) -> None:
        if not self._opened and not self.open():
            raise OSError(errno.EIO, "what is on the disk is not known yet", OBJECTS)

    # --- bodies -----------------------------------------------------------------------------------
    def _take_up(self, entry: IndexEntry) -> StoredObject | None:
        """Have the entry's body at hand; None, and the object leaves, when its file is not what it was."""
        key, found = entry.head.key, entry.found
        small = found.length <= self._bodies.small_bytes_max
        try:
            file = self._bodies.read(_path(key)) if small else self._bodies.map(_path(key))
        except OSError as fault:
            self.account.faults_total += 1
            if not too_many_open(fault):
                self.remove(key)
            return None
        # What was found at start is looked at in full once; what is read into memory costs little to look at.
        sound = found.fits(file) and ((entry.checked and not small) or found.body_is_sound(file))
        if not sound:
            self.dropped_total += 1
            self.remove(key)
            return None
        entry.checked = True
        body = file[found.start : found.start + found.length]
        entry.at_hand = StoredObject(entry.head, MappedBody(memoryview(bytes(body)) if small else body))
        self._bodies.keep(entry)
        return entry.at_hand


def _path(key: str) -> str:
    return f"{OBJECTS}/{blake2b(key.encode(), digest_size=16).hexdigest()}"
