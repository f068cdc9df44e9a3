"""The child of `worker.package_in_process`; not meant to be started by hand."""

from __future__ import annotations

import json
import os
import signal
import sys
from threading import Thread
from types import FrameType

from nearcast.packager.faults import UnusableFolder, UnusableSource
from nearcast.packager.package import Progress, package
from nearcast.packager.worker import read_order

STDIN = 0


def main() -> int:
    """Package what standard input orders; 0 when the title is there, 2 when it cannot be made."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    signal.signal(signal.SIGTERM, _end)
    order = _read_line()
    if not order:
        return 2
    Thread(target=_watch_parent, daemon=True).start()
    try:
        title = package(**read_order(order), progress=_report)
    except UnusableSource as error:
        _say(unusable=["source", error.source, error.sentence, error.remedy])
        return 2
    except UnusableFolder as error:
        _say(unusable=["folder", error.folder, error.sentence, error.remedy])
        return 2
    _say(title=title.to_json())
    return 0


def _read_line() -> str:
    """From the descriptor itself: a thread that waits in `sys.stdin` would hinder the interpreter's end."""
    line = b""
    while not line.endswith(b"\n") and (part := os.read(STDIN, 65536)):
        line += part
    return line.decode()


def _report(progress: Progress) -> None:
    _say(progress=progress)


def _say(**line: object) -> None:
    print(json.dumps(line), flush=True)  # noqa: T201 - this is the pipe to the parent


def _watch_parent() -> None:
    """The parent keeps our input open; when that ends, so do we."""
    while os.read(STDIN, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
