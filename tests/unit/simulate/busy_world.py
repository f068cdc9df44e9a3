"""A world full of everything, from a seed: prints its digest. Run by path, on any Python, with no package.

PYTHONPATH=src python tests/unit/simulate/busy_world.py SEED [permute]
"""

from __future__ import annotations

import asyncio
import sys

from nearcast.serve.limits import StreamLimits
from nearcast.serve.tcp import Connection, listen_tcp
from nearcast.serve.udp import listen_udp
from nearcast.simulate.play.faults import BitRot, Crash, DiskError, Disturb, Hang, Kill, Partition, Reset
from nearcast.simulate.world.disk import DiskShape
from nearcast.simulate.world.host import Host
from nearcast.simulate.world.stream import TcpRules
from nearcast.simulate.world.world import World

SERVERS = {f"server{number}": f"192.0.2.{number + 1}" for number in range(3)}
VIEWERS = {f"viewer{number}": f"198.51.100.{number + 1}" for number in range(12)}
BODY = bytes(range(256)) * 512


class Echo(Connection):
    """Answers each byte with a kilobyte of the body, and stores what it heard."""

    def received(self, octets: bytes) -> None:
        for octet in octets:
            self.transport.write(BODY[octet * 8 : octet * 8 + 1024])


async def serve(host: Host) -> None:
    address = SERVERS[host.name]
    listener = await listen_tcp(Echo, address, 80, StreamLimits(idle_seconds=5.0))
    await listen_udp(lambda query, peer: query[::-1], address, 53)
    for number in range(1000):
        await asyncio.sleep(1 + host.random.random())
        try:
            with_name = f"file{number}"
            file = host.disk.create(with_name)
            file.write(BODY)
            if host.random.random() < 0.5:
                file.sync()
            file.close()
            host.disk.rename(with_name, f"kept{number % 10}")
            host.disk.sync_directory("")
        except OSError as exc:
            host.note(f"disk: {exc.errno}")
        if number == 20:
            await listener.drain(3.0)
            listener = await listen_tcp(Echo, address, 80, StreamLimits(idle_seconds=5.0))


class Answers(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.heard.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        pass


async def look_up(host: Host, address: str) -> None:
    loop = asyncio.get_running_loop()
    transport, answers = await loop.create_datagram_endpoint(Answers, remote_addr=(address, 53))
    try:
        transport.sendto(host.random.randbytes(20))
        await asyncio.wait_for(answers.heard.get(), 1)
    except TimeoutError:
        host.note("no answer")
    finally:
        transport.close()


async def fetch(host: Host, address: str) -> None:
    reader, writer = await asyncio.open_connection(address, 80)
    try:
        for _ in range(host.random.randrange(4)):
            question = host.random.randbytes(host.random.randrange(1, 60))
            writer.write(question)
            await writer.drain()
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(host.random.random()))
                answer = group.create_task(reader.readexactly(1024 * len(question)))
            assert answer.result()[:1] == BODY[question[0] * 8 :][:1]
    finally:
        writer.close()


async def visit(host: Host, address: str) -> None:
    async with asyncio.timeout(4):
        await look_up(host, address)
        await fetch(host, address)


async def watch(host: Host) -> None:
    for _ in range(30):
        address = host.random.choice(list(SERVERS.values()))
        try:
            # A task of its own: in CPython 3.11.2 a TaskGroup that failed leaves its task half cancelled,
            # and the next timeout in that task ends it.
            await asyncio.create_task(visit(host, address))
        except (OSError, asyncio.IncompleteReadError, BaseExceptionGroup) as exc:
            host.note(f"failed: {type(exc).__name__}")
        await asyncio.sleep(host.random.random())


def busy_world(seed: int, *, permute: bool = False) -> World:
    """Build it, run it, and return it for inspection."""
    world = World(
        seed,
        permute=permute,
        tcp=TcpRules(seeded_segments=True),
        disk=DiskShape(capacity_bytes=1_800_000, latency_seconds=0.003),
    )
    for name, address in (SERVERS | VIEWERS).items():
        world.host(name, [address])
    for viewer in VIEWERS:
        for server in SERVERS:
            world.link(
                *(viewer, server),
                latency_seconds=0.01 + 0.05 * world.random(f"{viewer}{server}").random(),
                jitter_seconds=0.01,
                bits_per_second=20e6,
                loss=0.02,
                duplication=0.05,
                reordering=0.1,
            )
    dice = world.random("faults")
    for at in range(5, 60, 5):
        server, viewer = dice.choice(list(SERVERS)), dice.choice(list(VIEWERS))
        fault = dice.choice(
            [
                Crash(at=at, host=server, seconds=3),
                Kill(at=at, host=server, seconds=1),
                Hang(at=at, host=server, seconds=4),
                Partition(at=at, one=server, other=viewer, one_way=dice.random() < 0.5, seconds=10),
                Disturb(at=at, one=server, other=viewer, loss=0.5, seconds=10),
                Reset(at=at, one=server, other=viewer),
                DiskError(at=at, host=server, operation="sync", times=1),
                BitRot(at=at, host=server),
            ]
        )
        world.schedule([fault])

    async def main() -> None:
        for name in SERVERS:
            world.hosts[name].start(serve)
        await asyncio.wait([world.hosts[name].spawn(watch(world.hosts[name])) for name in VIEWERS])

    world.run(main())
    return world


if __name__ == "__main__":
    finished = busy_world(int(sys.argv[1]), permute="permute" in sys.argv)
    if "lines" in sys.argv:
        print("\n".join(finished.history.lines()))
    print(finished.history.digest(), finished.history.count, f"{finished.loop.time():.6f}")
