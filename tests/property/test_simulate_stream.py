"""TCP carries every byte once and in order, however it is written, cut, delayed, paused or interrupted."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nearcast.simulate.world.stream import TcpRules
from nearcast.simulate.world.world import World

SHAPES = st.fixed_dictionaries(
    {"latency_seconds": st.sampled_from([0.0, 0.001, 0.3])},
    optional={
        "jitter_seconds": st.sampled_from([0.01, 0.5]),
        "bits_per_second": st.sampled_from([1e6, 1e9]),
        "loss": st.sampled_from([0.01, 0.3]),
    },
)
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 200_000)),
        st.tuples(st.just("sleep"), st.sampled_from([0.0, 0.01, 1.0])),
        st.tuples(st.just("pause"), st.floats(0.01, 5.0)),
        st.tuples(st.just("cut"), st.floats(0.01, 5.0)),
        st.tuples(st.just("cut acks"), st.floats(0.01, 5.0)),
        st.tuples(st.just("hang"), st.floats(0.01, 5.0)),
    ),
    max_size=15,
)


class Receiver(asyncio.Protocol):
    def __init__(self) -> None:
        self.octets = bytearray()
        self.events: list[str] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert self.events == [], "bytes after the end"
        assert self.transport.is_reading(), "bytes while paused"
        self.octets += data

    def eof_received(self) -> None:
        self.events.append("eof")

    def connection_lost(self, exc: Exception | None) -> None:
        self.events.append(f"lost {exc}")


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 1000), SHAPES, ACTS, st.booleans(), st.booleans(), st.sampled_from([5_000, 262_144]))
def test_every_byte_once_and_in_order(
    seed: int,
    shape: dict[str, float],
    acts: list[tuple[str, float]],
    segments: bool,
    permute: bool,
    window: int,
) -> None:
    world = World(seed, permute=permute, tcp=TcpRules(window_bytes=window, seeded_segments=segments))
    server, client = world.host("server", ["192.0.2.1"]), world.host("client", ["192.0.2.2"])
    world.link(server, client, **shape)
    sent = bytearray()
    receiver = Receiver()

    async def talk() -> None:
        _, writer = await asyncio.open_connection("192.0.2.1", 80)
        for act, value in acts:
            if act == "write":
                piece = world.random(f"{len(sent)}").randbytes(int(value))
                sent.extend(piece)
                writer.write(piece)
                await writer.drain()
            elif act == "sleep":
                await asyncio.sleep(value)
            elif act == "pause" and hasattr(receiver, "transport"):
                receiver.transport.pause_reading()
                world.loop.world_at(world.loop.time() + value, receiver.transport.resume_reading)
            elif act.startswith("cut"):
                ways = (client, server) if act == "cut" else (server, client)
                world.network.cut(*ways)
                world.loop.world_at(world.loop.time() + value, world.network.mend, *ways)
            elif act == "hang":
                server.hang(value)
        writer.close()
        await writer.wait_closed()

    async def main() -> None:
        with server:
            await world.loop.create_server(lambda: receiver, "192.0.2.1", 80)
        await client.spawn(talk())
        await asyncio.sleep(2000)

    world.run(main())
    assert receiver.octets == sent
    assert receiver.events == ["eof", "lost None"]
    assert not server.incarnation.streams
    assert not client.incarnation.streams
    assert world.unhandled == []
