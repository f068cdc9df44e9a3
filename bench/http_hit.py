"""What a hit costs: the edge beside nginx as a caching proxy, in CPU microseconds (user and system) per hit.

    python bench/http_hit.py [--seconds 3] [--rounds 3] [--only "1k mix"]

Ours is the whole program: `start_edge` with its store on a disk, response heads with Cache-Status, counters,
and the access log written to a file. nginx (bench/http_hit.nginx.conf) caches the same objects of the same
origin with proxy_cache, one worker, sendfile, open files kept, and an access log of the same fields.

Both run in a process of their own on the first processor, wrk on the second, in turns. "one URL" asks for one
object with one set of header fields; "mix" for a thousand objects (of 1 MB: two hundred) with fifty sets that
browsers and players send (bench/header_sets.json), each request by chance. Rates depend on how busy the
machine is; CPU per request much less, so that is what is compared: the least of the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from nearcast.cache.disk import PosixDisk
from nearcast.edge.program import start_edge
from nearcast.model.read import parse_config
from nearcast.model.snapshot import Revision, edge_snapshot
from nearcast.serve.http_server import Exchange, listen_http
from nearcast.serve.loop import run

ORIGIN, OURS, NGINX, ADMIN = 18080, 18081, 18082, 18083
SIZES = {"1k": 1024, "64k": 64 * 1024, "1m": 1024 * 1024}
OBJECTS = {"1k": 1000, "64k": 1000, "1m": 200}
CONNECTIONS = {"1k": 64, "64k": 64, "1m": 16}
HERE = Path(__file__).parent
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
KEPT = {
    "content-type": "video/iso.segment",
    "cache-control": "public, max-age=31536000, immutable",
    "etag": '"0369b52c98c7ab07914cd9ac5bd17a60"',
    "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT",
    "access-control-allow-origin": "*",
}
CONFIG = f"""
[cdn]
zone = "cdn.test"
[ports]
http = {OURS}
admin = {ADMIN}
[control]
address = "127.0.30.2"
[[routers]]
name = "router"
addresses = ["127.0.30.1"]
[[places]]
name = "Here"
latitude = 0
longitude = 0
[[pops]]
name = "ia"
kind = "isp"
place = "Here"
[[content_servers]]
name = "ia1"
pop = "ia"
addresses = ["127.0.0.1"]
cache_megabytes = 4000
[[distributions]]
name = "movie"
hosts = ["www.movie.test"]
origin = "http://127.0.0.1:{ORIGIN}"
"""


async def serve_origin() -> None:
    """`/1k/17` is 1,024 bytes, and so on."""
    bodies = {size: os.urandom(length) for size, length in SIZES.items()}

    def answer(exchange: Exchange) -> None:
        size = exchange.request.target.split("/")[1]
        exchange.respond(200, KEPT, bodies[size])

    await listen_http(answer, "127.0.0.1", ORIGIN, clock=time.time)
    await asyncio.Event().wait()


async def serve_edge(folder: Path) -> None:
    """The product, its cache and log in `folder`."""
    log = open(folder / "edge.log", "ab", buffering=0)  # noqa: SIM115, ASYNC230 - open as long as we run
    await start_edge(
        edge_snapshot(Revision(1, parse_config(CONFIG)), "ia1"),
        disk=PosixDisk(folder / "edge"),
        clock=time.time,
        rng=random.Random(1),
        access_log=log.write,
    )
    await asyncio.Event().wait()


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    size: str
    objects: int
    sets: int

    @property
    def name(self) -> str:
        return f"{self.size} {'one URL' if self.objects == 1 else 'mix'}"


CASES = [case for size, count in OBJECTS.items() for case in (Case(size, 1, 1), Case(size, count, 50))]


def load(folder: Path, port: int, case: Case, seconds: int) -> int:
    """Have wrk ask for `seconds`; how many requests were answered."""
    command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{CONNECTIONS[case.size]}", f"-d{seconds}s"]
    command += ["-s", str(HERE / "http_hit.lua"), f"http://127.0.0.1:{port}", "--"]
    command += [case.size, str(case.objects), str(case.sets), str(folder / "header_sets")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in printed or re.search(r"Socket errors: (?!connect 0, read 0, write 0)", printed):
        sys.exit(f"wrk met errors:\n{printed}")
    return int(re.search(r"(\d+) requests in", printed)[1])  # type: ignore[index]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def fill(port: int) -> None:
    """Ask once for every object, as soon as there is somebody to ask."""
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    for size, count in OBJECTS.items():
        urls = f"http://127.0.0.1:{port}/{size}/[0-{count - 1}]"
        command = ["curl", "-s", "-H", "Host: www.movie.test", "-o", "/dev/null", urls]
        subprocess.run(command, check=True)


def write_header_sets(folder: Path) -> None:
    sets = json.loads((HERE / "header_sets.json").read_text())
    blocks = ["".join(f"{name}: {text}\r\n" for name, text in fields.items()) + "\r\n" for fields in sets]
    (folder / "header_sets").write_text("".join(blocks), newline="")


def compare(folder: Path, seconds: int, rounds: int, only: str) -> None:
    write_header_sets(folder)
    pinned = ["taskset", "-c", "0"]
    programs = {
        ORIGIN: subprocess.Popen(["taskset", "-c", "1", sys.executable, sys.argv[0], "--origin"]),
        OURS: subprocess.Popen([*pinned, sys.executable, sys.argv[0], "--edge", str(folder)]),
        NGINX: subprocess.Popen(
            [*pinned, "nginx", "-p", folder, "-c", HERE / "http_hit.nginx.conf", "-e", folder / "error.log"]
        ),
    }
    try:
        for port in (OURS, NGINX):
            fill(port)
        print(f"{'':14}{'ours':>10}{'nginx':>10}   CPU µs per hit (least of {rounds})")
        for case in CASES:
            if only not in case.name:
                continue
            best = {OURS: float("inf"), NGINX: float("inf")}
            for _ in range(rounds):
                for port in best:
                    before = cpu_seconds(programs[port].pid)
                    requests = load(folder, port, case, seconds)
                    used = cpu_seconds(programs[port].pid) - before
                    best[port] = min(best[port], used / requests * 1e6)
            ours, nginx = best[OURS], best[NGINX]
            print(f"{case.name:14}{ours:10.1f}{nginx:10.1f}   ratio {ours / nginx:.2f}", flush=True)
    finally:
        for program in programs.values():
            program.terminate()
            program.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--origin", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--edge", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.origin or asked.edge:
        run(serve_origin() if asked.origin else serve_edge(asked.edge))
        return
    for program in ("wrk", "nginx", "taskset", "curl"):
        if not shutil.which(program):
            sys.exit(f"needs {program}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and no server is left behind
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder), asked.seconds, asked.rounds, asked.only)


if __name__ == "__main__":
    main()
