"""The few file operations that the store needs, behind one small interface.

The store never opens a file itself. It asks a `Disk`, so that the same store runs on a real directory
(`PosixDisk`) and on a simulated disk that fills up, fails, rots and forgets what was not synced.

Rules every `Disk` keeps: paths are relative, `/`-separated names below one root; `rename` is atomic;
bytes are durable only after `sync` of the file *and* `sync_directory` of its folder; every fault is an
`OSError` with its errno (ENOSPC, EIO, EROFS, ENOENT). `map` shows a file as far as it is written, also
while it is still open for writer, and stays valid after the file was renamed, replaced or removed.
"""

from __future__ import annotations

import mmap
import os
import resource
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

# A mapping costs the process one of its maps, of which Linux grants 65,530 (vm.max_map_count), and with
# CPython before 3.13 a file descriptor too: the larger part of either is left to the rest of the program.
MAPPED_MAX = 16_384


class DirectoryEntry(NamedTuple):
    """A file found in a directory: its name and its size in bytes."""

    name: str
    size: int


class DiskFile(Protocol):
    """A new file that is being written, front to back."""

    def write(self, octets: bytes | memoryview) -> None: ...
    def sync(self) -> None: ...
    def close(self) -> None: ...


class Disk(Protocol):
    """What a store may do with its directory.

    Files take whole blocks of `block_bytes`. `mapped_max`: so many may be mapped at once.
    """

    @property
    def block_bytes(self) -> int: ...
    @property
    def mapped_max(self) -> int: ...
    def make_directory(self, path: str) -> None: ...
    def entries(self, path: str) -> Sequence[tuple[str, int]]: ...  # names and sizes in bytes
    def create(self, path: str) -> DiskFile: ...
    def read(self, path: str) -> bytes: ...
    def map(self, path: str) -> memoryview: ...
    def rename(self, old: str, new: str) -> None: ...
    def remove(self, path: str) -> None: ...
    def sync_directory(self, path: str) -> None: ...
    def bytes_free(self) -> int: ...


class PosixFile:
    """A file of a real directory. Unbuffered: the writer already hands over large pieces."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "xb", buffering=0)  # noqa: SIM115 - closed by close()

    def write(self, octets: bytes | memoryview) -> None:
        rest = memoryview(octets)
        while rest:  # a raw write may be short, for example when the disk is nearly full
            rest = rest[self._file.write(rest) :]

    def sync(self) -> None:
        os.fdatasync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


class PosixDisk:
    """A directory of the machine's own file system."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.block_bytes = os.statvfs(root).f_frsize or 4096

    @property
    def mapped_max(self) -> int:
        """A quarter of the descriptors that the process may have now, where mappings hold one."""
        if sys.version_info >= (3, 13):
            return MAPPED_MAX
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return MAPPED_MAX if descriptors < 0 else min(MAPPED_MAX, descriptors // 4)

    def make_directory(self, path: str) -> None:
        (self.root / path).mkdir(parents=True, exist_ok=True)

    def entries(self, path: str) -> list[DirectoryEntry]:
        with os.scandir(self.root / path) as found:
            files = [DirectoryEntry(each.name, each.stat().st_size) for each in found if each.is_file()]
        return sorted(files)

    def create(self, path: str) -> DiskFile:
        return PosixFile(self.root / path)

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def map(self, path: str) -> memoryview:
        """Map a file read-only, as far as it is written now."""
        with open(self.root / path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return memoryview(b"")  # mmap refuses empty files
            if sys.version_info >= (3, 13):
                return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ, trackfd=False))
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def rename(self, old: str, new: str) -> None:
        (self.root / old).replace(self.root / new)

    def remove(self, path: str) -> None:
        (self.root / path).unlink()

    def sync_directory(self, path: str) -> None:
        descriptor = os.open(self.root / path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def bytes_free(self) -> int:
        return shutil.disk_usage(self.root).free
