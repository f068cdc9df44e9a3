"""The lab's temporary folder: titles, stores and the control socket; gone when the lab ends.

Its name holds the process that owns it, so that a later lab removes what a killed one left behind, and
so that commands in other terminals (`nearcast lab kill ia2`) find the labs that run.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = "nearcast-lab-"


class Workplace:
    """A folder for one lab; use it in a `with` block."""

    def __init__(self) -> None:
        sweep()
        self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getuid()}-{os.getpid()}-"))
        self.titles = self.path / "titles"
        self.socket = self.path / "control.sock"
        self._owner = os.getpid()

    def store(self, server: str) -> Path:
        """Where the content server called `server` keeps its objects."""
        return self.path / "stores" / server

    def append_log(self, program: str, lines: bytes) -> None:
        """Append lines to the access log of a program: `logs/ia2.jsonl`. OSError when the disk refuses."""
        folder = self.path / "logs"
        folder.mkdir(exist_ok=True)
        with open(folder / f"{program}.jsonl", "ab") as log:
            log.write(lines)

    def __enter__(self) -> Workplace:
        return self

    def __exit__(self, *_: object) -> None:
        if os.getpid() == self._owner:  # not in a forked worker that unwinds
            shutil.rmtree(self.path, ignore_errors=True)


def running() -> Iterator[Path]:
    """Control sockets of this user's running labs, newest first."""
    alive = [folder for folder in _folders() if _is_alive(folder)]
    for folder in sorted(alive, key=lambda each: each.stat().st_mtime, reverse=True):
        if (folder / "control.sock").exists():
            yield folder / "control.sock"


def sweep() -> None:
    """Remove the folders of labs that were killed."""
    for folder in _folders():
        if not _is_alive(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _folders() -> Iterator[Path]:
    """The folders of this user's labs. Anybody may make one with such a name in a shared folder: those are
    neither asked for orders nor removed, and no link is followed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}{os.getuid()}-*-*"):
        try:
            status = folder.lstat()
        except FileNotFoundError:
            continue  # another lab swept it meanwhile
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid():
            yield folder


def _is_alive(folder: Path) -> bool:
    try:
        os.kill(int(folder.name.removeprefix(PREFIX).split("-")[1]), 0)
    except (ProcessLookupError, ValueError, IndexError):
        return False
    except PermissionError:
        pass
    return True
