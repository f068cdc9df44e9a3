"""Tricks with numbers: too many connections, too many requests, and too little reading."""

from __future__ import annotations

import asyncio
import struct

from nearcast.simulate.play.enemies.prey import Hand

CONNECTIONS = 60
PIPELINED = 200
QUERIES = 20
HELD_SECONDS = 5.0
SLOW_READERS = 6
SLOW_READS = 10


async def connection_flood(hand: Hand) -> None:
    """Many connections of one address to one server, and silence on all of them."""
    server = hand.dice.choice(hand.prey.servers)
    for _ in range(CONNECTIONS):
        await hand.reach(server)
    await asyncio.sleep(HELD_SECONDS)


async def request_flood(hand: Hand) -> None:
    """Many requests in one go, and none of their answers is read."""
    _, writer = await hand.reach()
    for _ in range(PIPELINED):
        writer.write(hand.request())
    await asyncio.sleep(HELD_SECONDS)


async def slow_reading(hand: Hand) -> None:
    """Large answers, also such as are fetched for this one reader, read a little at a time."""
    private = ("Authorization: Basic eDp5",) if hand.dice.random() < 0.5 else ()
    readers = []
    server = hand.dice.choice(hand.prey.servers)
    for _ in range(SLOW_READERS):
        reader, writer = await hand.reach(server)
        writer.write(hand.request(hand.dice.choice(hand.prey.large), *private))
        readers.append(reader)
    for _ in range(SLOW_READS):
        await asyncio.sleep(HELD_SECONDS / SLOW_READS)
        for reader in readers:
            async with asyncio.timeout(HELD_SECONDS):
                await reader.read(100)


async def random_queries(hand: Hand) -> None:
    """Names that nobody has asked for before: each a miss, some of them of what is there."""
    reader, writer = await hand.reach()
    for _ in range(QUERIES):
        name = hand.dice.choice([hand.path(), f"/{hand.dice.getrandbits(30):x}"])
        writer.write(hand.request(f"{name}?{hand.dice.getrandbits(40):x}"))
    await _read_for(reader, HELD_SECONDS)


async def ranges(hand: Hand) -> None:
    """Parts of large things, in no order."""
    reader, writer = await hand.reach()
    for _ in range(QUERIES):
        start, size = hand.dice.randrange(1_000_000), hand.dice.choice([0, 1, 1000, 1_000_000])
        spans = [f"{start}-{start + size}", f"{start}-", f"-{size}"]
        spans = hand.dice.sample(spans, hand.dice.choice([1, 1, 2]))
        path = hand.dice.choice(hand.prey.large)
        writer.write(hand.request(path, f"Range: bytes={','.join(spans)}"))
    await _read_for(reader, HELD_SECONDS)


async def leaving(hand: Hand) -> None:
    """Large things asked for and not waited for, with and without a reset."""
    server = hand.dice.choice(hand.prey.servers)
    for _ in range(SLOW_READERS):
        _, writer = await hand.reach(server)
        writer.write(hand.request(hand.dice.choice(hand.prey.large)))
        await asyncio.sleep(hand.dice.choice([0.0, 0.05, 0.2]))
        if hand.dice.random() < 0.5:
            writer.get_extra_info("socket").setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER: a reset
        writer.transport.abort()


async def dns_streams(hand: Hand) -> None:
    """Many connections to a name server, each with half a length, or with half a question."""
    server = hand.dice.choice(hand.prey.name_servers)
    for _ in range(CONNECTIONS):
        _, writer = await hand.reach(server, hand.prey.dns_port)
        writer.write(hand.dice.choice([b"\x00", b"\x00\x40" + bytes(10), b"\xff\xff"]))
    await asyncio.sleep(HELD_SECONDS)


async def _read_for(reader: asyncio.StreamReader, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            while await reader.read(65536):
                pass
    except TimeoutError:
        return
