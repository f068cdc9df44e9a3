"""`nearcast` as users run it: a process, its lines, its signals, and what it leaves behind."""

from __future__ import annotations

import json
import os
import pty
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

NEARCAST = Path(sys.executable).with_name("nearcast")
PATIENCE_SECONDS = 90


def nearcast(*arguments: str, temporary: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with a temporary folder of its own."""
    return subprocess.run(
        [NEARCAST, *arguments],
        env={**os.environ, "TMPDIR": str(temporary), **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


def on_terminal(*command: str, temporary: Path, **environment: str) -> tuple[int, str]:
    """Run a command at a terminal of its own to its end: its exit code and all that appeared there."""
    taste = {"NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE"}  # of whoever runs the tests
    usual = {name: value for name, value in os.environ.items() if name not in taste}
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command,
        env={**usual, "TMPDIR": str(temporary), **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    appeared = b""
    try:
        while octets := os.read(ours, 65536):
            appeared += octets
    except OSError:
        pass  # EIO: nobody has the other end open any more
    finally:
        os.close(ours)
    return process.wait(PATIENCE_SECONDS), appeared.decode()


class RunningDemo:
    """A demo that stays. Its process leads a group of its own, as under a terminal."""

    def __init__(self, *arguments: str, temporary: Path) -> None:
        self.temporary = temporary
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [NEARCAST, "demo", *arguments],
            env={**os.environ, "TMPDIR": str(temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._rest = b""

    def until(self, pattern: str) -> str:
        """Read lines until one matches; the line."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + PATIENCE_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while time.monotonic() < deadline:
                if selector.select(timeout=1.0):
                    octets = os.read(self.process.stdout.fileno(), 65536)
                    *lines, self._rest = (self._rest + octets).split(b"\n")
                    self.lines += [line.decode() for line in lines]
                    if not octets:
                        break
                    for line in lines:
                        if re.search(pattern, line.decode()):
                            return line.decode()
        raise AssertionError(f"{pattern!r} was not said:\n" + "\n".join(self.lines))

    def stays(self) -> RunningDemo:
        """Wait until the viewers have watched and the demo stays."""
        self.until("Break it")
        return self

    def url(self, what: str) -> str:
        """The URL printed beside "Watch it", "See it" …"""
        return next(line.split()[-1] for line in self.lines if line.strip().startswith(what))

    def interrupt(self) -> int:
        """Ctrl-C, which a terminal sends to the whole group; the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(PATIENCE_SECONDS)

    def family(self) -> set[int]:
        """All processes of this demo's session, itself included."""
        return members(self.process.pid)

    def __enter__(self) -> RunningDemo:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.interrupt()
        assert self.process.stdout is not None
        self.process.stdout.close()


def members(session: int) -> set[int]:
    """The processes of a session, zombies left out."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, of, *_ = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(of) == session and state != "Z":
            found.add(int(stat.parent.name))
    return found


def gone(session: int) -> bool:
    """Whether all processes of a session end within a moment (the kernel delivers their signals)."""
    deadline = time.monotonic() + 10
    while members(session):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def document(finished: subprocess.CompletedProcess[str]) -> Any:
    """The one JSON document on standard output."""
    return json.loads(finished.stdout)


def failed_checks(told: Any) -> Sequence[str]:
    return [sentence for sentence, held in told["checks"].items() if not held]
