"""How fast the virtual world runs: viewers who fetch 64 KiB segments from one edge.

    python bench/simulate_loop.py [--viewers 2000] [--segments 10] [--repeat 3]

Rows: viewers as Protocols or on asyncio's streams, with the event history kept as a digest or not at all,
and with streams on a lossy, narrow, jittering link whose byte stream is cut at random. Every row runs in a
process of its own; the best of the repetitions counts, for the machine is shared. RSS is the row's peak.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import time
from typing import Any

from nearcast.simulate.world.history import History
from nearcast.simulate.world.stream import TcpRules
from nearcast.simulate.world.world import World

SEGMENT = bytes(65536)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n"
REQUEST = b"GET /segment HTTP/1.1\r\nHost: bench\r\n\r\n"
SECONDS_BETWEEN_SEGMENTS = 4.0
EDGE = ("192.0.2.1", 80)

ROWS: dict[str, dict[str, bool]] = {
    "Protocols, no history": {},
    "Protocols, digest": {"history": True},
    "streams, digest": {"history": True, "streams": True},
    "streams, digest, bad link": {"history": True, "streams": True, "bad_link": True},
}


class Edge(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(HEAD)
        self.transport.write(SEGMENT)


class Viewer(asyncio.Protocol):
    """Counts bytes until a segment is complete, waits, and asks for the next."""

    def __init__(self, loop: asyncio.AbstractEventLoop, segments: int, done: asyncio.Future[None]) -> None:
        self.loop, self.left, self.done = loop, segments, done
        self.missing = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.missing = len(HEAD) + len(SEGMENT)
        self.transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        self.missing -= len(data)
        if self.missing:
            return
        self.left -= 1
        if self.left:
            self.loop.call_later(SECONDS_BETWEEN_SEGMENTS, self.ask)
        else:
            self.transport.close()
            self.done.set_result(None)


async def watch_by_protocol(number: int, segments: int) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.sleep(number * 0.001)
    done = loop.create_future()
    await loop.create_connection(lambda: Viewer(loop, segments, done), *EDGE)
    await done


async def watch_by_stream(number: int, segments: int) -> None:
    await asyncio.sleep(number * 0.001)
    reader, writer = await asyncio.open_connection(*EDGE)
    for _ in range(segments):
        writer.write(REQUEST)
        async with asyncio.timeout(600):
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(SEGMENT))
        await asyncio.sleep(SECONDS_BETWEEN_SEGMENTS)
    writer.close()


def measure(
    viewers: int, segments: int, *, history: bool = False, streams: bool = False, bad_link: bool = False
) -> dict[str, float]:
    """Run one row in this process."""
    world = World(
        1, history=History(keep=0, keeps=history), tcp=TcpRules(seeded_segments=True) if bad_link else None
    )
    edge, home = world.host("edge", [EDGE[0]]), world.host("home", ["198.51.100.9"])
    shape = {"jitter_seconds": 0.01, "loss": 0.01, "bits_per_second": 1e9} if bad_link else {}
    world.link(edge, home, latency_seconds=0.02, **shape)
    watch = watch_by_stream if streams else watch_by_protocol

    async def main() -> None:
        with edge:
            await world.loop.create_server(Edge, *EDGE)
        await asyncio.wait([home.spawn(watch(number, segments)) for number in range(viewers)])

    began = time.perf_counter()
    world.run(main())
    seconds = time.perf_counter() - began
    assert not world.unhandled
    return {
        "segments_per_second": viewers * segments / seconds,
        "times_real": world.loop.now / seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--viewers", type=int, default=2000)
    parser.add_argument("--segments", type=int, default=10)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--row", choices=ROWS, help="run one row here and print it as JSON")
    asked = parser.parse_args()
    if asked.row:
        print(json.dumps(measure(asked.viewers, asked.segments, **ROWS[asked.row])))
        return
    print(f"{asked.viewers} viewers x {asked.segments} segments of 64 KiB, best of {asked.repeat}")
    for row in ROWS:
        command = [sys.executable, __file__, "--row", row]
        command += ["--viewers", str(asked.viewers), "--segments", str(asked.segments)]
        runs = [
            json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            for _ in range(asked.repeat)
        ]
        best = max(runs, key=lambda run: run["segments_per_second"])
        print(
            f"{row:28} {best['segments_per_second']:8,.0f} segments/s "
            f"{best['times_real']:7,.1f} x real time {best['peak_mb']:7,.0f} MB"
        )


if __name__ == "__main__":
    main()
