"""Contents in a directory of this machine.

Files are mapped, not read, so that a film costs address space and not memory; only small ones are
read. Publish by writing elsewhere and renaming: what is being served then stays whole, while a file
that is truncated in place breaks the answers under way.

The tag of a file comes from its content, hashed once and remembered for as long as inode, size and
times stay the same; so a copy of a title on another origin, or the same title published again, keeps
its tags and caches keep what they have. Beyond `HASHED_BYTES_MAX` the tag comes from inode, size and
times themselves, because hashing a film would keep every other viewer waiting.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
from pathlib import Path

from nearcast.origin.content import Content, content_tag

HASHED_BYTES_MAX = 32 * 1024 * 1024
READ_BYTES_MAX = 64 * 1024
TAGS_MAX = 100_000

# What says that there is nothing of this name here, in contrast to a failing disk.
_NOT_HERE = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.ENAMETOOLONG, errno.ELOOP}

_Version = tuple[int, int, int, int, int]


class DirectorySource:
    """The files below a directory, by their names relative to it. Links that lead out are not followed."""

    def __init__(self, root: Path) -> None:
        self._root = os.path.realpath(root)
        self._tags: dict[_Version, str] = {}

    def find(self, name: str) -> Content | None:
        try:
            return self._read(name)
        except OSError as fault:
            if fault.errno in _NOT_HERE:
                return None
            raise

    def _read(self, name: str) -> Content | None:
        path = os.path.realpath(f"{self._root}/{name}")
        if not path.startswith(self._root.rstrip("/") + "/"):
            return None
        # O_NONBLOCK: a named pipe must not stop us before we have seen that it is one.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return None
            if status.st_size <= READ_BYTES_MAX:
                octets = memoryview(os.read(descriptor, READ_BYTES_MAX))
            else:
                octets = memoryview(mmap.mmap(descriptor, status.st_size, access=mmap.ACCESS_READ))
        finally:
            os.close(descriptor)
        return Content(name, self._tag(status, octets), status.st_mtime, octets)

    def _tag(self, status: os.stat_result, octets: memoryview) -> str:
        version = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if status.st_size > HASHED_BYTES_MAX:
            return '"' + "-".join(f"{number:x}" for number in version[1:]) + '"'
        tag = self._tags.get(version)
        if tag is None:
            if len(self._tags) >= TAGS_MAX:
                self._tags.clear()
            tag = self._tags[version] = content_tag(octets)
        return tag
