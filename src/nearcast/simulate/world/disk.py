"""A disk that fails: files in memory, with everything a disk can do to a program.

Its methods are those of `nearcast.cache.disk.Disk`; it is handed to programs in that one's place.

What a crash leaves (POSIX promises no more, and file systems have done all of it):
- bytes of a file up to its last `sync` are intact; of what was written later a prefix may remain, in which
  whole sectors may be zero;
- the entries of a directory are those of its last `sync_directory`, plus a prefix of the changes made since;
- a rename is one change: before it is durable a crash leaves the old name or the new one, never neither;
- after a `sync` that failed, later syncs of that file promise nothing.

Faults: a full disk (ENOSPC after the bytes that still fit), a read-only one (EROFS), any errno for any
operation (`fail`), flipped bits (`rot`), latency. A mapped view keeps the content it was made of, whatever
happens to the file; only `spoil` reaches the pages that are mapped already.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

SECTOR_BYTES = 512
PAGE_BYTES = 4096
SPOILINGS = ("flip", "zero", "fail")  # what can happen to a page that is mapped
LENGTH_KEPT = 0.5  # how probable it is that a crash leaves an unsynced file its length
SECTOR_LOSSES = (0.0, 0.02, 0.25)  # and how probable that one of its sectors is lost, one of these by chance
UNBOUNDED_BYTES = 1 << 50
OPERATIONS = (
    *("make_directory", "entries", "create", "read", "map", "rename", "remove", "sync_directory"),
    *("write", "sync"),
)
CHANGING = ("make_directory", "create", "rename", "remove", "write")


@dataclass(frozen=True, slots=True)
class DiskShape:
    """A disk's size and speed. None is unlimited; every operation takes `latency_seconds`."""

    capacity_bytes: int | None = None
    latency_seconds: float = 0.0
    bytes_per_second: float | None = None


class DirectoryEntry(NamedTuple):
    """A file in a directory: its name and its size in bytes."""

    name: str
    size: int


class FileContent:
    """The bytes of one file, whatever its names."""

    __slots__ = ("_pages", "_sealed", "_written", "poisoned", "synced", "unreadable", "writing")

    def __init__(self) -> None:
        self._written = bytearray()
        self._sealed: bytes | None = b""
        self._pages: bytearray | None = None  # what mappings made since the last change show
        self.unreadable = False
        self.synced = 0  # so many bytes survive a crash
        self.poisoned = False  # a sync failed
        self.writing = False  # a program has it open: what it reads comes from memory

    def __len__(self) -> int:
        return len(self._written)

    def append(self, octets: memoryview) -> None:
        self._written += octets
        self._sealed = self._pages = None

    def octets(self) -> bytes:
        """The content now, in an object that no later write changes."""
        if self._sealed is None:
            self._sealed = bytes(self._written)
        return self._sealed

    def pages(self) -> memoryview:
        """The content now, as a mapping shows it."""
        if self._pages is None:
            self._pages = bytearray(self._written)
        return memoryview(self._pages).toreadonly()

    def flip(self, bit: int) -> None:
        self._written[bit // 8] ^= 1 << bit % 8
        self._sealed = self._pages = None

    def spoil(self, start: int, octets: bytes) -> None:
        """Other bytes from `start` on, in the file and in the pages that are mapped."""
        for each in (self._written, self._pages):
            if each is not None:
                each[start : start + len(octets)] = octets
        self._sealed = None

    def sync(self) -> None:
        if not self.poisoned:
            self.synced = len(self._written)

    def crash(self, dice: random.Random) -> None:
        """Lose or tear what was not synced."""
        unsynced = len(self._written) - self.synced
        if unsynced:
            kept = unsynced if dice.random() < LENGTH_KEPT else dice.randint(0, unsynced)
            del self._written[self.synced + kept :]
            loss = dice.choice(SECTOR_LOSSES)
            for start in range(self.synced, len(self._written), SECTOR_BYTES):
                if dice.random() < loss:
                    end = min(start + SECTOR_BYTES, len(self._written))
                    self._written[start:end] = bytes(end - start)
            self._sealed = self._pages = None
        self.synced = len(self._written)
        self.poisoned = self.writing = False


class Change(NamedTuple):
    """One change of names, all or nothing: each path and what it names from now on (None: nothing)."""

    names: tuple[tuple[str, FileContent | None], ...]

    def folders(self) -> list[str]:
        return [_folder(path) for path, _ in self.names]

    def apply(self, tree: dict[str, FileContent]) -> None:
        for path, content in self.names:
            if content is None:
                tree.pop(path, None)
            else:
                tree[path] = content


class VirtualFile:
    """A new file that is being written, front to back."""

    def __init__(self, disk: VirtualDisk, path: str, content: FileContent) -> None:
        self._disk = disk
        self._path = path
        self._content = content
        self._mounted = disk.crashes
        self._open = content.writing = True

    def write(self, octets: bytes | memoryview) -> None:
        self._check()
        self._disk._write(self._path, self._content, memoryview(octets).cast("B"))

    def sync(self) -> None:
        self._check()
        self._disk._sync(self._path, self._content)

    def close(self) -> None:
        self._open = self._content.writing = False

    def _check(self) -> None:
        if not self._open:
            raise ValueError("I/O operation on closed file")
        if self._mounted != self._disk.crashes:
            raise _error(errno.EBADF, self._path)


class VirtualDisk:
    """A disk in memory. `wait` lets its latency pass; `record` is told of every operation that succeeded."""

    def __init__(
        self,
        shape: DiskShape | None = None,
        dice: random.Random | None = None,
        *,
        wait: Callable[[float], None] = lambda seconds: None,
        record: Callable[[str, str, int], None] = lambda operation, path, size: None,
    ) -> None:
        self.shape = shape or DiskShape()
        self.block_bytes = 1  # files take no more than they have
        self.mapped_max = 256
        self.crashes = 0
        self._dice = dice or random.Random(0)
        self._wait = wait
        self._record = record
        self._live: dict[str, FileContent] = {}
        self._durable: dict[str, FileContent] = {}
        self._pending: list[Change] = []
        self._folders: dict[str, bool] = {"": True}  # and whether a crash leaves them
        self._used = 0
        self._locks = 0
        self._limits = [UNBOUNDED_BYTES if self.shape.capacity_bytes is None else self.shape.capacity_bytes]
        self._failing: dict[str, tuple[int, int | None, int]] = {}  # errno, how often, after how many

    # --- what programs call -----------------------------------------------------------------------
    def make_directory(self, path: str) -> None:
        path = _clean(path)
        self._begin("make_directory", path)
        for folder in _ancestry(path):
            if folder in self._live:
                raise _error(errno.EEXIST if folder == path else errno.ENOTDIR, folder)
            self._folders.setdefault(folder, False)
        self._record("make_directory", path, 0)

    def entries(self, path: str) -> list[DirectoryEntry]:
        path = _clean(path)
        self._begin("entries", path)
        self._need_folder(path)
        prefix = f"{path}/" if path else ""
        return sorted(
            DirectoryEntry(name[len(prefix) :], len(content))
            for name, content in self._live.items()
            if name.startswith(prefix) and "/" not in name[len(prefix) :]
        )

    def create(self, path: str) -> VirtualFile:
        path = _clean(path)
        self._begin("create", path)
        self._need_folder(_folder(path))
        if path in self._live or path in self._folders:
            raise _error(errno.EEXIST, path)
        content = FileContent()
        self._change((path, content))
        self._record("create", path, 0)
        return VirtualFile(self, path, content)

    def read(self, path: str) -> bytes:
        path = _clean(path)
        self._begin("read", path, len(self._live.get(path, b"")))
        octets = self._need_readable(path).octets()
        self._record("read", path, len(octets))
        return octets

    def map(self, path: str) -> memoryview:
        path = _clean(path)
        self._begin("map", path)
        content = self._need_readable(path)
        self._record("map", path, len(content))
        return content.pages()

    def rename(self, old: str, new: str) -> None:
        old, new = _clean(old), _clean(new)
        self._begin("rename", old)
        content = self._need_file(old)
        self._need_folder(_folder(new))
        if new in self._folders:
            raise _error(errno.EISDIR, new)
        if old != new:
            self._used -= len(self._live.get(new, b""))
            self._change((old, None), (new, content))
        self._record("rename", f"{old} to {new}", len(content))

    def remove(self, path: str) -> None:
        path = _clean(path)
        self._begin("remove", path)
        self._used -= len(self._need_file(path))
        self._change((path, None))
        self._record("remove", path, 0)

    def sync_directory(self, path: str) -> None:
        """Make the directory's entries durable, and every earlier change that these rest upon."""
        path = _clean(path)
        self._begin("sync_directory", path)
        self._need_folder(path)
        wanted = {path}
        taken: list[Change] = []
        left: list[Change] = []
        for change in reversed(self._pending):
            folders = change.folders()
            if wanted.isdisjoint(folders):
                left.append(change)
            else:
                wanted.update(folders)
                taken.append(change)
        for change in reversed(taken):
            change.apply(self._durable)
        self._pending = left[::-1]
        for folder in self._folders:
            if folder in wanted or _folder(folder) == path:
                for each in _ancestry(folder):
                    self._folders[each] = True
        self._record("sync_directory", path, len(taken))

    def bytes_free(self) -> int:
        return max(0, min(self._limits) - self._used)

    @property
    def bytes_used(self) -> int:
        """Bytes of all files."""
        return self._used

    def sizes(self) -> dict[str, int]:
        """Every file there is, and its bytes: for whoever judges, not for programs."""
        return {path: len(self._live[path]) for path in sorted(self._live)}

    # --- faults -----------------------------------------------------------------------------------
    def crash(self) -> None:
        """Lose power: only what is durable stays, and of the rest what the dice leave."""
        self.crashes += 1
        lost: set[str] = set()
        for change in self._pending:
            if not lost.isdisjoint(change.folders()) or self._dice.random() < 0.5:
                lost.update(change.folders())
            else:
                change.apply(self._durable)
        self._pending.clear()
        self._live = dict(self._durable)
        self._used = 0
        for path in sorted(self._live):
            self._live[path].crash(self._dice)
            self._used += len(self._live[path])
        stays = {folder for path in self._live for folder in _ancestry(_folder(path))}
        for folder in sorted(self._folders):
            if self._folders[folder] or (_folder(folder) in stays and self._dice.random() < 0.5):
                stays.update(_ancestry(folder))
        self._folders = dict.fromkeys(sorted(stays | {""}), True)

    def fail(
        self, operation: str, code: int = errno.EIO, *, times: int | None = None, after: int = 0
    ) -> None:
        """Fail an operation (`*`: every one) with an errno: once `after` more of it have succeeded, the next
        `times` times or until `heal`."""
        if operation != "*" and operation not in OPERATIONS:
            raise ValueError(f"no disk operation {operation!r}; there are {', '.join(OPERATIONS)} and *")
        self._failing[operation] = code, times, after

    def heal(self, operation: str) -> None:
        """Undo `fail`."""
        self._failing.pop(operation, None)

    def lock(self) -> None:
        """Take no more changes, until as many `unlock`s."""
        self._locks += 1

    def unlock(self) -> None:
        self._locks -= 1

    def fill(self, free_bytes: int = 0) -> int:
        """Shrink the disk until only so much is free. Returns the limit, for `unfill`."""
        self._limits.append(self._used + free_bytes)
        return self._limits[-1]

    def unfill(self, limit: int) -> None:
        self._limits.remove(limit)

    def rot(self, path: str | None = None, *, bits: int = 1) -> str | None:
        """Flip bits of a file (of any, by the dice). Returns which, or None when there is no byte to flip."""
        path = self._victim(path)
        if path is not None:
            content = self._live[path]
            for _ in range(bits):
                content.flip(self._dice.randrange(len(content) * 8))
        return path

    def spoil(self, path: str | None = None, *, how: str = "flip") -> str | None:
        """Spoil a page of a file (of any, by the dice), also where it is mapped.

        `how`: `flip` a bit, `zero` it, or let it `fail`: whoever maps or reads the file from now on gets EIO,
        and who has mapped it keeps what it has seen. Returns which file, or None when there is none.
        """
        path = self._victim(path)
        if path is not None:
            content = self._live[path]
            start = self._dice.randrange(len(content)) // PAGE_BYTES * PAGE_BYTES
            page = bytearray(content.octets()[start : start + PAGE_BYTES])
            if how == "flip":
                page[self._dice.randrange(len(page))] ^= 1 << self._dice.randrange(8)
                content.spoil(start, bytes(page))
            elif how == "zero":
                content.spoil(start, bytes(len(page)))
            else:
                content.unreadable = True
        return path

    def _victim(self, path: str | None) -> str | None:
        """The file called `path`, or any that nobody is writing, by the dice; None when it has no byte."""
        if path is None:
            paths = sorted(name for name, each in self._live.items() if len(each) and not each.writing)
            return self._dice.choice(paths) if paths else None
        path = _clean(path)
        return path if len(self._live.get(path, b"")) else None

    # --- inside -----------------------------------------------------------------------------------
    def _begin(self, operation: str, path: str, size: int = 0) -> None:
        shape = self.shape
        transfer = size / shape.bytes_per_second if shape.bytes_per_second else 0.0
        self._wait(shape.latency_seconds + transfer)
        if self._locks and operation in CHANGING:
            raise _error(errno.EROFS, path)
        for key in (operation, "*"):
            if key in self._failing:
                code, times, after = self._failing[key]
                if after:
                    self._failing[key] = code, times, after - 1
                    continue
                if times is not None:
                    self._failing[key] = code, times - 1, 0
                    if times <= 1:
                        del self._failing[key]
                raise _error(code, path)

    def _change(self, *names: tuple[str, FileContent | None]) -> None:
        change = Change(names)
        change.apply(self._live)
        self._pending.append(change)

    def _write(self, path: str, content: FileContent, octets: memoryview) -> None:
        self._begin("write", path, len(octets))
        fits = min(len(octets), self.bytes_free())
        content.append(octets[:fits])
        self._used += fits
        self._record("write", path, fits)
        if fits < len(octets):
            raise _error(errno.ENOSPC, path)

    def _sync(self, path: str, content: FileContent) -> None:
        try:
            self._begin("sync", path)
        except OSError:
            content.poisoned = True
            raise
        content.sync()
        self._record("sync", path, len(content))

    def _need_file(self, path: str) -> FileContent:
        if path not in self._live:
            raise _error(errno.EISDIR if path in self._folders else errno.ENOENT, path)
        return self._live[path]

    def _need_readable(self, path: str) -> FileContent:
        content = self._need_file(path)
        if content.unreadable:
            raise _error(errno.EIO, path)
        return content

    def _need_folder(self, path: str) -> None:
        if path not in self._folders:
            raise _error(errno.ENOTDIR if path in self._live else errno.ENOENT, path)


def _error(code: int, path: str) -> OSError:
    return OSError(code, os.strerror(code), path)


def _clean(path: str) -> str:
    """One spelling per path: no dots, no doubled slashes; the root is empty."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts:
        raise ValueError(f"{path!r} is not a relative path below the disk's root")
    return "/".join(parts)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _ancestry(path: str) -> list[str]:
    """A folder and all above it, the root first."""
    parts = path.split("/") if path else []
    return ["", *("/".join(parts[: count + 1]) for count in range(len(parts)))]
