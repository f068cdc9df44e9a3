"""TCP between hosts: time, back-pressure, faults."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from nearcast.simulate.world.host import Host
from nearcast.simulate.world.loop import Deadlock
from nearcast.simulate.world.stream import TcpRules
from nearcast.simulate.world.world import World

A, B = "192.0.2.1", "198.51.100.9"


def two_hosts(seed: int = 1, *, tcp: TcpRules | None = None, **shape: Any) -> tuple[World, Host, Host]:
    world = World(seed, tcp=tcp)
    server, client = world.host("server", [A]), world.host("client", [B])
    world.link(server, client, **{"latency_seconds": 0.1, **shape})
    return world, server, client


class Sink(asyncio.Protocol):
    """Keeps what arrives, and when."""

    def __init__(self) -> None:
        self.octets = bytearray()
        self.times: list[float] = []
        self.pieces: list[int] = []
        self.fault: Exception | None = None
        self.paused = 0
        self.lost_at: float | None = None
        self.ended = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.octets += data
        self.pieces.append(len(data))
        self.times.append(asyncio.get_running_loop().time())

    def eof_received(self) -> None:
        self.ended = True

    def pause_writing(self) -> None:
        self.paused += 1

    def resume_writing(self) -> None:
        self.paused -= 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.fault = exc
        self.lost_at = asyncio.get_running_loop().time()


Act = Callable[[World, Sink, Sink], Coroutine[Any, Any, Any]]


def connected(world: World, act: Act, **run: Any) -> tuple[Sink, Sink]:
    """Connect `client` to `server`, then `act`. Returns the server's and the client's protocol."""
    accepted: list[Sink] = []

    def accept() -> Sink:
        accepted.append(Sink())
        return accepted[-1]

    async def main() -> tuple[Sink, Sink]:
        loop = world.loop
        with world.hosts["server"]:
            await loop.create_server(accept, A, 80)
        dialled = world.hosts["client"].spawn(loop.create_connection(Sink, A, 80))
        _, near = await dialled
        await asyncio.sleep(0.2)
        await act(world, accepted[0], near)
        return accepted[0], near

    ends = world.run(main(), **run)
    assert ends is not None
    return ends


def test_a_handshake_takes_a_round_trip_and_bytes_one_way() -> None:
    async def act(world: World, far: Sink, near: Sink) -> None:
        assert world.loop.time() == pytest.approx(0.4)  # connected at 0.2
        near.transport.write(b"x")
        await asyncio.sleep(1)

    world, _, _ = two_hosts()
    far, _ = connected(world, act)
    assert far.times == [pytest.approx(0.5)]


def test_programs_bind_and_connect_as_their_host() -> None:
    async def act(world: World, far: Sink, near: Sink) -> None:
        assert far.transport.get_extra_info("peername") == (B, 32768)
        assert far.transport.get_extra_info("sockname") == (A, 80)

    world, _, _ = two_hosts()
    connected(world, act)


def test_binding_a_foreign_address_fails_and_wildcards_take_all() -> None:
    async def main() -> None:
        with client:
            with pytest.raises(OSError, match="cannot assign"):
                await asyncio.start_server(lambda r, w: None, A, 80)
            with pytest.raises(OSError, match="cannot assign"):
                await asyncio.open_connection(A, 80, local_addr=(A, 0))
        with server:
            listening = await asyncio.start_server(lambda r, w: w.close(), None, 80)
            assert [each.getsockname()[0] for each in listening.sockets] == ["0.0.0.0", "::"]
        with client:
            reader, writer = await asyncio.open_connection(A, 80, local_addr=("0.0.0.0", 4000))
            assert writer.get_extra_info("sockname") == (B, 4000)
            assert await reader.read() == b""
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", 80)  # its own loopback, not the server's
            with pytest.raises(OSError, match="unreachable"):
                await asyncio.open_connection("2001:db8::1", 80)  # it has no IPv6 address

    world, server, client = two_hosts()
    world.run(main())


def test_ipv6_ends_have_four_members() -> None:
    async def main() -> None:
        with six:
            await asyncio.start_server(lambda r, w: w.close(), "::", 80)
        with other:
            _, writer = await asyncio.open_connection("2001:DB8:0::1", 80)
            assert writer.get_extra_info("peername") == ("2001:db8::1", 80, 0, 0)

    world = World(1)
    six, other = world.host("six", ["2001:db8::1"]), world.host("other", ["2001:db8::2"])
    world.run(main())


@pytest.mark.parametrize(
    ("port", "prepare", "error", "seconds"),
    [
        (81, lambda world: None, ConnectionRefusedError, 0.2),
        (80, lambda world: world.network.refuse(world.hosts["server"]), ConnectionRefusedError, 0.2),
        (80, lambda world: world.network.swallow(world.hosts["server"], 80), TimeoutError, 127.0),
        (80, lambda world: world.hosts["server"].crash(), TimeoutError, 127.0),
        (80, lambda world: world.hosts["server"].kill(), ConnectionRefusedError, 0.2),
        (80, lambda world: world.network.cut(*map(world.named, ("server", "client"))), TimeoutError, 127.0),
    ],
    ids=["nobody listens", "refuse", "black hole", "powerless", "killed", "answers are cut off"],
)
def test_connecting_in_vain(
    port: int, prepare: Callable[[World], None], error: type[OSError], seconds: float
) -> None:
    async def main() -> float:
        with server:
            await asyncio.start_server(lambda r, w: None, A, 80)
        prepare(world)
        began = world.loop.time()
        with client, pytest.raises(error):
            await asyncio.open_connection(A, port)
        return world.loop.time() - began

    world, server, client = two_hosts()
    assert world.run(main()) == pytest.approx(seconds)


def test_no_host_has_the_address() -> None:
    async def main() -> None:
        with client, pytest.raises(TimeoutError):
            await asyncio.open_connection("203.0.113.1", 80)

    world, _, client = two_hosts()
    world.run(main())
    assert world.loop.time() == pytest.approx(127.0)


def test_a_lost_syn_is_sent_again_after_a_second() -> None:
    async def main() -> float:
        with server:
            await asyncio.start_server(lambda r, w: None, A, 80)
        world.network.cut(client, server)
        world.loop.world_at(2.0, world.network.mend, client, server)
        with client:
            await asyncio.open_connection(A, 80)
        return world.loop.time()

    world, server, client = two_hosts()
    assert world.run(main()) == pytest.approx(3.2)  # sent at 0, 1, 3


def test_a_cancelled_connect_leaves_nothing_behind() -> None:
    async def main() -> None:
        accepted: list[Sink] = []

        def accept() -> Sink:
            accepted.append(Sink())
            return accepted[-1]

        with server:
            await world.loop.create_server(accept, A, 80)
        with client:
            for timeout in (0.05, 0.15, 0.2):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(timeout):
                        await asyncio.open_connection(A, 80)
        await asyncio.sleep(5)
        assert all(sink.lost_at is not None for sink in accepted)
        assert not client.incarnation.streams
        assert not server.incarnation.streams

    world, server, client = two_hosts()
    world.run(main())


def test_a_reader_that_pauses_stops_the_writer_and_memory_stays_bounded() -> None:
    window = 256 * 1024

    async def act(world: World, far: Sink, near: Sink) -> None:
        far.transport.pause_reading()
        written = 0
        while not near.paused:
            near.transport.write(bytes(10_000))
            written += 10_000
        await asyncio.sleep(10)
        assert near.paused == 1
        assert near.transport.get_write_buffer_size() <= written - window
        assert window <= written <= window + 64 * 1024 + 10_000
        assert far.octets == b""
        far.transport.resume_reading()
        await asyncio.sleep(10)
        assert near.paused == 0
        assert len(far.octets) == written
        assert near.transport.get_write_buffer_size() == 0

    world, _, _ = two_hosts()
    connected(world, act)


def test_what_arrives_in_the_instant_of_a_resume_waits_behind_what_was_there() -> None:
    async def act(world: World, far: Sink, near: Sink) -> None:
        far.transport.pause_reading()
        near.transport.write(b"one ")
        await asyncio.sleep(1)
        arrives = world.loop.time() + 0.1
        world.loop.world_at(arrives, far.transport.resume_reading)
        near.transport.write(b"two")
        await asyncio.sleep(1)
        assert far.times == [arrives, arrives]

    world, _, _ = two_hosts()
    far, _ = connected(world, act)
    assert far.octets == b"one two"


def test_write_buffer_limits_are_the_programs() -> None:
    async def act(world: World, far: Sink, near: Sink) -> None:
        transport = near.transport
        assert transport.get_write_buffer_limits() == (16 * 1024, 64 * 1024)
        far.transport.pause_reading()
        transport.write(bytes(256 * 1024 + 1000))
        assert (near.paused, transport.get_write_buffer_size()) == (0, 1000)
        transport.set_write_buffer_limits(high=999)
        assert near.paused == 1
        assert transport.get_write_buffer_limits() == (249, 999)
        with pytest.raises(ValueError, match="must be >="):
            transport.set_write_buffer_limits(high=1, low=2)

    world, _, _ = two_hosts()
    connected(world, act)


def test_the_window_bounds_the_rate_to_one_window_per_round_trip() -> None:
    async def act(world: World, far: Sink, near: Sink) -> None:
        near.transport.write(bytes(1_000_000))
        await asyncio.sleep(100)

    world, _, _ = two_hosts(tcp=TcpRules(window_bytes=100_000))
    far, _ = connected(world, act)
    assert len(far.octets) == 1_000_000
    assert far.times[-1] - far.times[0] == pytest.approx(9 * 0.2)


def test_bandwidth_is_shared_by_the_connections_of_a_link() -> None:
    async def act(world: World, far: Sink, near: Sink) -> None:
        _, other = await world.hosts["client"].spawn(world.loop.create_connection(Sink, A, 80))
        began = world.loop.time()
        near.transport.write(bytes(500_000))
        other.transport.write(bytes(500_000))
        await asyncio.sleep(0.6)
        assert len(far.octets) == pytest.approx(250_000, abs=40_000)
        await asyncio.sleep(10)
        assert len(far.octets) == 500_000
        assert far.times[-1] == pytest.approx(began + 1.0 + 0.1, abs=0.06)

    world, _, _ = two_hosts(bits_per_second=8_000_000)
    connected(world, act)


def test_loss_shows_as_delay_only() -> None:
    body = bytes(range(256)) * 4000

    async def act(world: World, far: Sink, near: Sink) -> None:
        near.transport.write(body)
        near.transport.close()
        await asyncio.sleep(600)

    ends = {}
    for loss in (0.0, 0.2):
        world, _, _ = two_hosts(loss=loss, bits_per_second=50e6)
        ends[loss], _ = connected(world, act)
        assert ends[loss].octets == body
    assert ends[0.2].times[-1] > ends[0.0].times[-1] + 0.2


def test_the_stream_may_be_cut_and_joined_anywhere() -> None:
    body = bytes(range(256)) * 1000

    async def act(world: World, far: Sink, near: Sink) -> None:
        for start in range(0, len(body), 100):
            near.transport.write(body[start : start + 100])
        near.transport.close()
        await asyncio.sleep(60)

    cuts = []
    for seed in (1, 1, 2):
        world, _, _ = two_hosts(seed, tcp=TcpRules(seeded_segments=True))
        far, _ = connected(world, act)
        assert far.octets == body
        assert far.ended
        cuts.append(far.pieces)
    assert cuts[0] == cuts[1] != cuts[2]
    assert min(cuts[0]) < 100 < max(cuts[0])


def test_a_short_partition_is_a_delay() -> None:
    async def act(world: World, far: Sink, near: Sink) -> None:
        world.network.cut(world.hosts["client"], world.hosts["server"])
        near.transport.write(b"one")
        near.transport.write(b"two")
        world.loop.world_at(
            world.loop.time() + 5, world.network.mend, *map(world.named, ("client", "server"))
        )
        await asyncio.sleep(60)

    world, _, _ = two_hosts()
    far, near = connected(world, act)
    assert far.octets == b"onetwo"
    assert far.times[0] > 5.4
    assert near.lost_at is None


@pytest.mark.parametrize("cut", [("client", "server"), ("server", "client")], ids=["bytes", "acks"])
def test_a_long_partition_ends_in_a_timeout_at_the_sender(cut: tuple[str, str]) -> None:
    async def act(world: World, far: Sink, near: Sink) -> None:
        world.network.cut(*map(world.named, cut))
        near.transport.write(b"hello?")
        await asyncio.sleep(2000)

    world, _, _ = two_hosts()
    far, near = connected(world, act)
    assert isinstance(near.fault, TimeoutError)
    assert near.lost_at == pytest.approx(0.4 + 924.6, abs=1)
    assert far.octets == (b"" if cut[0] == "client" else b"hello?")
    assert far.lost_at is None  # it waits, half-open, and knows nothing


def test_bytes_sent_before_a_close_survive_a_short_partition() -> None:
    async def act(world: World, far: Sink, near: Sink) -> None:
        world.network.cut(world.hosts["client"], world.hosts["server"])
        near.transport.write(b"the end")
        near.transport.close()
        await asyncio.sleep(1)
        world.network.mend(world.hosts["client"], world.hosts["server"])
        await asyncio.sleep(10)

    world, _, _ = two_hosts()
    far, near = connected(world, act)
    assert (far.octets, far.ended, near.fault) == (b"the end", True, None)


def test_a_peer_without_power_is_noticed_only_by_sending() -> None:
    async def act(world: World, far: Sink, near: Sink) -> None:
        world.hosts["server"].crash()
        await asyncio.sleep(5000)
        assert near.lost_at is None
        near.transport.write(b"hello?")
        await asyncio.sleep(2000)

    world, _, _ = two_hosts()
    far, near = connected(world, act)
    assert isinstance(near.fault, TimeoutError)
    assert far.lost_at is None  # dead programs learn nothing


def test_a_peer_that_started_again_answers_with_a_reset() -> None:
    async def act(world: World, far: Sink, near: Sink) -> None:
        world.hosts["server"].crash()
        world.hosts["server"].restart()
        near.transport.write(b"hello?")
        await asyncio.sleep(1)

    world, _, _ = two_hosts()
    _, near = connected(world, act)
    assert isinstance(near.fault, ConnectionResetError)
    assert near.lost_at == pytest.approx(0.6)


def test_a_crash_with_resets_tells_the_peer() -> None:
    async def act(world: World, far: Sink, near: Sink) -> None:
        world.hosts["server"].crash(resets=True)
        await asyncio.sleep(1)

    world, _, _ = two_hosts()
    _, near = connected(world, act)
    assert isinstance(near.fault, ConnectionResetError)


def test_a_killed_programs_kernel_closes_its_connections() -> None:
    async def act(world: World, far: Sink, near: Sink) -> None:
        far.transport.write(b"half a body")
        world.hosts["server"].kill()
        await asyncio.sleep(1)

    world, _, _ = two_hosts()
    far, near = connected(world, act)
    assert (near.octets, near.ended, near.fault) == (b"half a body", True, None)
    assert far.lost_at is None


def test_a_reset_strikes_both_sides_at_once() -> None:
    async def act(world: World, far: Sink, near: Sink) -> None:
        world.network.reset(world.hosts["server"], world.hosts["client"])
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    world, _, _ = two_hosts()
    for end in connected(world, act):
        assert isinstance(end.fault, ConnectionResetError)


def test_a_hung_program_is_connected_to_and_buffered_for_and_answers_when_it_thaws() -> None:
    async def act(world: World, far: Sink, near: Sink) -> None:
        world.hosts["server"].hang(30)
        near.transport.write(b"one")
        near.transport.write(b"two")
        near.transport.write_eof()
        _, late = await world.hosts["client"].spawn(world.loop.create_connection(Sink, A, 80))
        assert world.loop.time() == pytest.approx(0.6)
        await asyncio.sleep(60)
        assert late.lost_at is None

    world, _, _ = two_hosts()
    far, _ = connected(world, act)
    assert (bytes(far.octets), far.ended) == (b"onetwo", True)
    assert far.times[0] == pytest.approx(30.4)


def test_sharers_of_a_port_share_the_connections() -> None:
    async def main() -> None:
        counts = [0, 0]

        def count(worker: int) -> Callable[..., None]:
            def accept(reader: Any, writer: Any) -> None:
                counts[worker] += 1

            return accept

        with server:
            for worker in range(2):
                await asyncio.start_server(count(worker), A, 80, reuse_port=True)
            with pytest.raises(OSError, match="in use"):
                await asyncio.start_server(count(0), A, 80)
        with client:
            kept = [await asyncio.open_connection(A, 80) for _ in range(60)]
            await asyncio.sleep(1)
        assert sum(counts) == len(kept)
        assert min(counts) > 10

    world, server, client = two_hosts()
    world.run(main())


def test_a_server_stops_accepting_at_close_and_waits_for_its_connections() -> None:
    async def main() -> None:
        with server:
            listening = await world.loop.create_server(Sink, A, 80, start_serving=False)
        with client:
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(A, 80)
            with server:
                await listening.start_serving()
            _, writer = await asyncio.open_connection(A, 80)
            await asyncio.sleep(1)
            assert listening.is_serving()
            listening.close()
            assert listening.sockets == ()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(A, 80)
            waits = asyncio.create_task(listening.wait_closed())
            await asyncio.sleep(1)
            assert not waits.done()
            writer.close()
            await waits

    world, server, client = two_hosts()
    world.run(main())


def test_serve_forever_ends_by_cancellation() -> None:
    async def serve() -> None:
        async with await asyncio.start_server(lambda r, w: None, A, 80) as listening:
            await listening.serve_forever()

    async def main() -> None:
        task = server.spawn(serve())
        with client:
            _, writer = await asyncio.open_connection(A, 80)
        writer.close()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        with client, pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(A, 80)

    world, server, client = two_hosts()
    world.run(main())


def test_waiting_for_a_silent_peer_forever_is_a_deadlock() -> None:
    async def act(world: World, far: Sink, near: Sink) -> None:
        await asyncio.get_running_loop().create_future()

    world, _, _ = two_hosts()
    with pytest.raises(Deadlock, match="test_virtual_tcp"):
        connected(world, act)
