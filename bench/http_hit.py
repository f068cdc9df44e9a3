"""What a hit costs: our HTTP server beside nginx, in CPU microseconds (user and system) per request.

    python bench/http_hit.py [--seconds 3] [--rounds 3]

Both serve the same bytes to wrk over kept-alive connections on loopback, the server pinned to the
first processor and wrk to the second. nginx (bench/http_hit.nginx.conf) sends files with sendfile and
without logs; ours answers every request from a memory map, through the whole of `serve`. Rates depend
on how busy the machine is; CPU per request much less, so that is what is compared.
"""

from __future__ import annotations

import argparse
import asyncio
import mmap
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from nearcast.serve.http_server import Exchange, listen_http
from nearcast.serve.limits import HttpLimits
from nearcast.serve.loop import run

OURS, NGINX = 18081, 18082
SIZES = {"1k": 1024, "64k": 64 * 1024, "1m": 1024 * 1024}
CONNECTIONS = {"1k": 64, "64k": 64, "1m": 16}
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
FIELDS = {
    "content-type": "application/octet-stream",
    "cache-control": "public, max-age=31536000, immutable",
    "etag": '"0369b52c98c7ab07914cd9ac5bd17a60"',
    "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT",
    "accept-ranges": "bytes",
}


def mapped(file: Path) -> memoryview:
    with open(file, "rb") as opened:
        return memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))


async def serve(folder: Path) -> None:
    """Our side: every file of `folder` is a hit."""
    objects = {"/" + name: mapped(folder / name) for name in SIZES}

    def hit(exchange: Exchange) -> None:
        exchange.respond(200, FIELDS, objects[exchange.request.target])

    limits = HttpLimits(requests_per_connection_max=10**9)
    await listen_http(hit, "127.0.0.1", OURS, clock=time.time, limits=limits)
    await asyncio.Event().wait()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def microseconds_per_request(pid: int, port: int, name: str, seconds: int) -> tuple[float, float]:
    """(CPU microseconds per request, requests per second) of the server `pid` under wrk."""
    before = cpu_seconds(pid)
    command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{CONNECTIONS[name]}", f"-d{seconds}s"]
    printed = subprocess.run(
        [*command, f"http://127.0.0.1:{port}/{name}"], capture_output=True, text=True, check=True
    ).stdout
    used = cpu_seconds(pid) - before
    if "Non-2xx" in printed or "Socket errors" in printed:
        sys.exit(f"wrk met errors:\n{printed}")
    requests = int(re.search(r"(\d+) requests in", printed)[1])  # type: ignore[index]
    return used / requests * 1e6, requests / seconds


def compare(folder: Path, seconds: int, rounds: int) -> None:
    configuration = Path(__file__).with_suffix(".nginx.conf")
    pinned = ["taskset", "-c", "0"]
    nginx = subprocess.Popen(
        [*pinned, "nginx", "-p", str(folder), "-c", str(configuration), "-e", str(folder / "error.log")]
    )
    ours = subprocess.Popen([*pinned, sys.executable, __file__, "--serve", str(folder)])
    try:
        time.sleep(1.5)
        print(f"{'body':6}{'ours':>10}{'nginx':>10}   CPU µs per request (least of {rounds})")
        for name in SIZES:
            best = {
                port: min(microseconds_per_request(pid, port, name, seconds)[0] for _ in range(rounds))
                for port, pid in ((OURS, ours.pid), (NGINX, nginx.pid))
            }
            print(
                f"{name:6}{best[OURS]:10.1f}{best[NGINX]:10.1f}   ratio {best[OURS] / best[NGINX]:.2f}",
                flush=True,
            )
    finally:
        for process in (nginx, ours):
            process.terminate()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        run(serve(arguments.serve))
        return
    for program in ("wrk", "nginx", "taskset"):
        if not shutil.which(program):
            sys.exit(f"needs {program}")
    with tempfile.TemporaryDirectory() as folder:
        for name, size in SIZES.items():
            (Path(folder) / name).write_bytes(os.urandom(size))
        compare(Path(folder), arguments.seconds, arguments.rounds)


if __name__ == "__main__":
    main()
