"""The lab's console: other terminals ask a running lab to kill a program, start it again, or report.

One JSON document per line, both ways, over a Unix socket in the lab's folder:

    {"do": "kill", "name": "ia2"}      →  {"ok": true, "said": "ia2 was killed"}
    {"do": "status"}                   →  {"ok": true, "dns_port": 5300, …, "programs": {"ia2": "up", …}}
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nearcast.wire.json_text import read_json

ConsoleCommand = dict[str, Any]
Report = dict[str, Any]
ORDER_BYTES_MAX = 4096
ANSWER_SECONDS = 15.0


async def open_console(path: Path, obey: Callable[[ConsoleCommand], Awaitable[Report]]) -> asyncio.Server:
    """Listen on `path`, in a folder that is the owner's alone; each order is handed to `obey`."""

    async def make_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            order = read_json(await reader.readline())
            report = await obey(order) if isinstance(order, dict) else {"ok": False, "said": "not an order"}
        except (ValueError, asyncio.LimitOverrunError):
            report = {"ok": False, "said": "an order is one line of JSON"}
        writer.write(json.dumps(report).encode() + b"\n")
        writer.close()

    observer = socket.socket(socket.AF_UNIX)
    with short_name(path) as name:
        observer.bind(name)
    return await asyncio.start_unix_server(make_connection, sock=observer, limit=ORDER_BYTES_MAX)


def ask(path: Path, order: ConsoleCommand) -> Report:
    """Send one order to the lab at `path` and wait for its report. Raises OSError when nobody answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_SECONDS)
        with short_name(path) as name:
            connection.connect(name)
        connection.sendall(json.dumps(order).encode() + b"\n")
        with connection.makefile("rb") as replies:
            line = replies.readline()
    if not line:
        raise ConnectionResetError("the lab ended while it was asked")
    report: Report = json.loads(line)
    return report


@contextmanager
def short_name(path: Path) -> Iterator[str]:
    """Another name of `path` that fits into a socket address (107 bytes, unix(7)), however long TMPDIR is."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
