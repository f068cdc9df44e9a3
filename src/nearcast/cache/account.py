"""The account of the store's files: what each takes on the disk, or may take, and what that is in all.

Nothing of the store is created, grows, moves or leaves but through here, so the account and the disk
cannot drift apart:

- A file is charged before its bytes are written, as they come: an announcement takes nothing. When the
  bytes do not fit, whoever `make_room` is lets something else go first.
- Charges are whole blocks where the disk allots those: thirty thousand answers of 500 bytes are 120 MB.
- A file that cannot be removed stays on the account, with the most it can have.
"""

from __future__ import annotations

from collections.abc import Callable

from nearcast.cache.disk import Disk, DiskFile


class Account:
    """Bytes by path, at most `bytes_max` in all. `make_room` frees some, false when there is nothing left."""

    def __init__(self, disk: Disk, bytes_max: int, make_room: Callable[[], bool]) -> None:
        self.bytes_max = bytes_max
        self.faults_total = 0  # of the disk
        self._disk = disk
        self._block_bytes = disk.block_bytes
        self._make_room = make_room
        self._charges: dict[str, int] = {}  # bytes, by path
        self._bytes = 0  # sum of _charges
        self._unsynced = False  # a removal or renaming may be undone by a crash

    @property
    def bytes_taken(self) -> int:
        """Bytes of all files, those being written and their reservations included."""
        return self._bytes

    @property
    def object_bytes_max(self) -> int:
        """The largest file that is stored; one object must not push out everything else."""
        return self.bytes_max // 2

    @property
    def unsynced(self) -> bool:
        """A crash might undo a removal or renaming."""
        return self._unsynced

    def paths(self) -> list[str]:
        """Every file there is, or may be."""
        return list(self._charges)

    def taken(self, path: str) -> int:
        """Bytes that the file takes, 0 when there is none."""
        return self._charges.get(path, 0)

    # --- what comes in ----------------------------------------------------------------------------
    def found(self, path: str, size: int) -> None:
        """A file of `size` bytes was there before us."""
        self._charge(path, self._allotted(size))

    def reserve(self, path: str, size: int) -> bool:
        """The file is about to have `size` bytes; false when they cannot be had."""
        if size > self.object_bytes_max:
            return False
        allotted = self._allotted(size)
        more = allotted - self.taken(path)
        if more > 0:
            if not self.make_room(more):
                return False
            self._charge(path, allotted)
        return True

    def create(self, path: str) -> DiskFile:
        """Make a file whose first bytes are reserved. OSError, and nothing is charged, when that fails."""
        try:
            return self._disk.create(path)
        except OSError:
            self._release(path)
            raise

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, in the place of whatever had it. OSError when the disk refuses."""
        self._disk.rename(old, new)
        self._unsynced = True
        self._charge(new, self._release(old))

    # --- what goes out ----------------------------------------------------------------------------
    def make_room(self, size: int = 0) -> bool:
        """Let others go until `size` more bytes fit."""
        while self._bytes + size > self.bytes_max:
            if not self._make_room():
                return False
        return True

    def remove(self, path: str) -> bool:
        """Remove a file; it leaves the account when it is gone. False when the disk refuses."""
        try:
            self._disk.remove(path)
        except FileNotFoundError:
            pass
        except OSError:
            self.faults_total += 1
            return False
        self._unsynced = True
        self._release(path)
        return True

    def settle(self, folder: str) -> None:
        """Make every removal and renaming so far survive a crash. OSError when the disk refuses."""
        if self._unsynced:
            self._disk.sync_directory(folder)
            self._unsynced = False

    # --- the sum ----------------------------------------------------------------------------------
    def _allotted(self, size: int) -> int:
        return -(-size // self._block_bytes) * self._block_bytes

    def _charge(self, path: str, size: int) -> None:
        self._bytes += size - self._charges.get(path, 0)
        self._charges[path] = size

    def _release(self, path: str) -> int:
        size = self._charges.pop(path, 0)
        self._bytes -= size
        return size
