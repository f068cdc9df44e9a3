"""TCP listeners: peers that are idle, slow, abrupt, half-closed or too many, and the drain."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable

import pytest

from nearcast.serve.limits import StreamLimits
from nearcast.serve.tcp import Connection, Listener, listen_tcp

HERE = "127.0.0.1"


class Echo(Connection):
    """Sends back what comes; counts what befalls it."""

    def __init__(self, listener: Listener) -> None:
        super().__init__(listener)
        self.ends = 0
        self.received_bytes = 0
        self.gone = asyncio.Event()

    def received(self, octets: bytes) -> None:
        self.received_bytes += len(octets)
        self.extend()
        self.transport.write(octets)

    def ended(self) -> None:
        self.ends += 1
        super().ended()

    def lost(self, fault: Exception | None) -> None:
        self.gone.set()


class Generous(Echo):
    """Answers every byte with 64 KiB."""

    def received(self, octets: bytes) -> None:
        self.received_bytes += len(octets)
        for _ in octets:
            self.transport.write(b"x" * 65536)


async def connected(
    listener: Listener, kept: list[Echo]
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, Echo]:
    reader, writer = await asyncio.open_connection(HERE, listener.port)
    writer.write(b"a")
    await reader.readexactly(1)
    return reader, writer, kept[-1]


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until `condition` holds; the test's own deadline bounds it."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0)


def keeping(made: list[Echo], kind: type[Echo] = Echo):
    def make_connection(listener: Listener) -> Echo:
        made.append(kind(listener))
        return made[-1]

    return make_connection


def test_port_0_binds_a_port_of_the_kernels_choice_and_says_which(run_on) -> None:
    async def main() -> None:
        listener = await listen_tcp(Echo, HERE, 0)
        reader, writer = await asyncio.open_connection(HERE, listener.port)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        writer.close()
        await listener.drain(1)

    run_on(main())


def test_a_taken_port_is_an_oserror(run_on) -> None:
    async def main() -> None:
        listener = await listen_tcp(Echo, HERE, 0)
        with pytest.raises(OSError) as caught:
            await listen_tcp(Echo, HERE, listener.port)
        assert caught.value.errno == errno.EADDRINUSE
        await listener.drain(1)

    run_on(main())


def test_a_shared_port_is_taken_by_several_rooms(run_on) -> None:
    async def main() -> None:
        first = await listen_tcp(Echo, HERE, 0, share_port=True)
        second = await listen_tcp(Echo, HERE, first.port, share_port=True)
        await first.drain(1)
        await second.drain(1)

    run_on(main())


def test_a_family_that_the_machine_lacks_is_an_oserror(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def without_ipv6(family: int = socket.AF_INET, *rest: object, **named: object) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return real(family, *rest, **named)  # type: ignore[arg-type]

    async def main() -> None:
        monkeypatch.setattr(socket, "socket", without_ipv6)
        with pytest.raises(OSError):
            await listen_tcp(Echo, "::1", 0)

    asyncio.run(main())


def test_idle_connection_is_reset(run_on) -> None:
    async def main() -> None:
        made: list[Echo] = []
        listener = await listen_tcp(keeping(made), HERE, 0, StreamLimits(idle_seconds=0.05))
        reader, writer, connection = await connected(listener, made)
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        await connection.gone.wait()
        assert not listener.connections
        writer.close()
        await listener.drain(1)

    run_on(main())


def test_bytes_that_arrive_move_the_idle_deadline(run_on) -> None:
    async def main() -> None:
        made: list[Echo] = []
        listener = await listen_tcp(keeping(made), HERE, 0, StreamLimits(idle_seconds=0.3))
        reader, writer, _ = await connected(listener, made)
        for _ in range(6):  # twice the deadline in all
            await asyncio.sleep(0.1)
            writer.write(b"b")
            assert await reader.readexactly(1) == b"b"
        writer.close()
        await listener.drain(1)

    run_on(main())


def test_a_peer_that_reads_slowly_but_steadily_is_not_idle(run_on) -> None:
    async def main() -> None:
        made: list[Echo] = []
        limits = StreamLimits(idle_seconds=0.2, write_buffer_bytes=1024)
        listener = await listen_tcp(keeping(made, Generous), HERE, 0, limits)
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, (HERE, listener.port))
        await loop.sock_sendall(sock, b"a" * 48)  # answered with 3 MiB
        got = 0
        while got < 48 * 65536:
            octets = await loop.sock_recv(sock, 262144)
            assert octets, "closed although bytes left steadily"
            got += len(octets)
            await asyncio.sleep(0.01)
        sock.close()
        await listener.drain(1)

    run_on(main())


def test_a_peer_that_does_not_read_is_not_read_from_and_costs_bounded_memory(run_on) -> None:
    async def main() -> None:
        made: list[Echo] = []
        listener = await listen_tcp(keeping(made), HERE, 0, StreamLimits(write_buffer_bytes=65536))
        sock = socket.socket()
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, (HERE, listener.port))
        pushed = 0
        try:
            while pushed < 512 * 1024 * 1024:  # until the kernel's buffers of both ways are full
                pushed += await asyncio.wait_for(send_some(loop, sock), 0.3)
        except TimeoutError:
            pass
        (connection,) = made
        assert not connection.peer_reads
        assert not connection.transport.is_reading()
        assert connection.transport.get_write_buffer_size() < 65536 + 1024 * 1024
        got = 0
        while got < pushed:  # once the peer reads, everything comes, in full
            got += len(await loop.sock_recv(sock, 1024 * 1024))
        assert connection.peer_reads
        sock.close()
        await listener.drain(1)

    run_on(main())


async def send_some(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> int:
    await loop.sock_sendall(sock, bytes(65536))
    return 65536


def test_a_peer_that_never_reads_is_reset_at_the_idle_deadline(run_on) -> None:
    async def main() -> None:
        made: list[Echo] = []
        listener = await listen_tcp(keeping(made, Generous), HERE, 0, StreamLimits(idle_seconds=0.05))
        _, writer = await asyncio.open_connection(HERE, listener.port, limit=1)
        writer.write(b"a" * 320)
        await until(lambda: made)
        await made[0].gone.wait()
        writer.transport.abort()
        await listener.drain(1)

    run_on(main())


def test_a_closing_connection_whose_rest_is_not_taken_is_reset(run_on) -> None:
    class Farewell(Generous):
        def received(self, octets: bytes) -> None:
            super().received(octets)
            self.transport.close()

    async def main() -> None:
        made: list[Echo] = []
        listener = await listen_tcp(keeping(made, Farewell), HERE, 0, StreamLimits(idle_seconds=0.05))
        _, writer = await asyncio.open_connection(HERE, listener.port, limit=1)
        writer.write(b"a" * 320)
        await until(lambda: made)
        await made[0].gone.wait()
        assert not listener.connections
        writer.transport.abort()
        await listener.drain(1)

    run_on(main())


def test_half_close_is_told_once_and_what_is_buffered_still_leaves(run_on) -> None:
    async def main() -> None:
        made: list[Echo] = []
        limits = StreamLimits(write_buffer_bytes=1024)  # so that writing pauses and resumes after the end
        listener = await listen_tcp(keeping(made, Generous), HERE, 0, limits)
        reader, writer = await asyncio.open_connection(HERE, listener.port, limit=1024)
        writer.write(b"a" * 160)
        writer.write_eof()
        assert len(await reader.read()) == 160 * 65536
        (connection,) = made
        await connection.gone.wait()
        assert connection.ends == 1
        writer.close()
        await listener.drain(1)

    run_on(main())


def test_half_close_with_the_answer_still_to_come(run_on) -> None:
    class Patient(Echo):
        def received(self, octets: bytes) -> None:
            self.question = octets

        def ended(self) -> None:
            self.ends += 1
            self.transport.write(bytes(4 * 1024 * 1024))  # pauses writing; then it resumes
            self.loop.call_later(0.05, self.last_words)

        def last_words(self) -> None:
            self.transport.write(self.question)
            self.transport.close()

    async def main() -> None:
        made: list[Echo] = []
        listener = await listen_tcp(keeping(made, Patient), HERE, 0)
        reader, writer = await asyncio.open_connection(HERE, listener.port)
        writer.write(b"last")
        writer.write_eof()
        assert (await reader.read()).endswith(b"\0last")
        assert made[0].ends == 1
        writer.close()
        await listener.drain(1)

    run_on(main())


def test_abrupt_close_leaves_nothing_behind(run_on) -> None:
    async def main() -> None:
        made: list[Echo] = []
        listener = await listen_tcp(keeping(made), HERE, 0)
        _, writer, connection = await connected(listener, made)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()
        await connection.gone.wait()
        assert not listener.connections
        await listener.drain(1)

    run_on(main())


def test_bytes_that_are_nothing_whole_do_not_move_the_idle_deadline(run_on) -> None:
    class Waiting(Echo):
        def received(self, octets: bytes) -> None:
            self.received_bytes += len(octets)

    async def main() -> None:
        made: list[Echo] = []
        listener = await listen_tcp(keeping(made, Waiting), HERE, 0, StreamLimits(idle_seconds=0.2))
        reader, writer = await asyncio.open_connection(HERE, listener.port)

        async def trickle() -> None:
            while True:
                writer.write(b"a")
                await asyncio.sleep(0.02)

        trickling = asyncio.ensure_future(trickle())
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        assert made[0].received_bytes > 1
        assert listener.counters.expired_total == 1
        trickling.cancel()
        writer.close()
        await listener.drain(1)

    run_on(main())


# --- room -----------------------------------------------------------------------------------------
class Busy(Echo):
    """At work from the first byte on."""

    @property
    def busy(self) -> bool:
        return self.received_bytes > 1


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def come(listener: Listener, address: str, said: bytes = b"a") -> Ends:
    """Connect from `address` and be answered."""
    reader, writer = await asyncio.open_connection(HERE, listener.port, local_addr=(address, 0))
    writer.write(said)
    assert await reader.readexactly(len(said)) == said
    return reader, writer


async def is_closed(ends: Ends) -> bool:
    try:
        async with asyncio.timeout(0.05):
            return await ends[0].read() == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def test_when_there_is_no_room_the_idlest_of_the_greediest_makes_some(run_on) -> None:
    async def main() -> None:
        listener = await listen_tcp(Echo, HERE, 0, StreamLimits(connections_max=4))
        alone = await come(listener, "127.0.0.8")
        greedy = [await come(listener, "127.0.0.9") for _ in range(3)]
        await asyncio.sleep(0.01)  # loops count time in milliseconds
        greedy[0][1].write(b"b")
        await greedy[0][0].readexactly(1)
        newcomer = await come(listener, "127.0.0.10")
        assert [await is_closed(each) for each in (alone, *greedy, newcomer)] == [False] * 2 + [True] + [
            False
        ] * 2
        assert len(listener.connections) == 4
        assert (listener.counters.given_up_total, listener.counters.turned_away_total) == (1, 0)
        for _, writer in (alone, newcomer, *greedy):
            writer.close()
        await listener.drain(1)

    run_on(main())


def test_a_flood_from_one_address_keeps_nobody_else_out(run_on) -> None:
    async def main() -> None:
        limits = StreamLimits(connections_max=40, connections_per_client_max=30)
        listener = await listen_tcp(Busy, HERE, 0, limits)
        flood = [await asyncio.open_connection(HERE, listener.port) for _ in range(200)]
        for _, writer in flood:
            writer.write(b"ab")
        others = [await come(listener, f"127.0.1.{number}", b"hi") for number in range(1, 21)]
        assert not any([await is_closed(each) for each in others])
        assert len(listener.connections) == 40
        for _, writer in (*flood, *others):
            writer.transport.abort()
        await listener.drain(1)

    run_on(main())


def test_one_client_has_a_bounded_number_and_its_idlest_goes_first(run_on) -> None:
    async def main() -> None:
        limits = StreamLimits(connections_per_client_max=2)
        listener = await listen_tcp(Busy, HERE, 0, limits)
        idle, busy = await come(listener, "127.0.0.8"), await come(listener, "127.0.0.8", b"work")
        third = await come(listener, "127.0.0.8", b"work")
        assert [await is_closed(each) for each in (idle, busy, third)] == [True, False, False]
        reader, writer = await asyncio.open_connection(HERE, listener.port, local_addr=("127.0.0.8", 0))
        assert await is_closed((reader, writer)), "it would cost the client its own work"
        other = await come(listener, "127.0.0.9")
        assert (listener.counters.given_up_total, listener.counters.turned_away_total) == (1, 1)
        for _, each in (idle, busy, third, other):
            each.close()
        await listener.drain(1)

    run_on(main())


def test_an_idle_one_goes_before_the_greediests_work(run_on) -> None:
    async def main() -> None:
        listener = await listen_tcp(Busy, HERE, 0, StreamLimits(connections_max=4))
        greedy = [await come(listener, "127.0.0.9", b"work") for _ in range(3)]
        idle = await come(listener, "127.0.0.8")
        newcomer = await come(listener, "127.0.0.10", b"work")
        assert [await is_closed(each) for each in (*greedy, idle, newcomer)] == [False] * 3 + [True, False]
        for _, writer in (newcomer, *greedy):
            writer.close()
        await listener.drain(1)

    run_on(main())


def test_work_goes_for_the_sake_of_fairness_only(run_on) -> None:
    async def main() -> None:
        made: list[Echo] = []
        listener = await listen_tcp(keeping(made, Busy), HERE, 0, StreamLimits(connections_max=3))
        assert not listener.full
        greedy = [await come(listener, "127.0.0.9", b"work") for _ in range(2)]
        others = [await come(listener, "127.0.0.8", b"work")]
        assert listener.full
        with_one = asyncio.open_connection(HERE, listener.port, local_addr=("127.0.0.8", 0))
        assert await is_closed(await with_one), "as many for one as for the other would be no fairer"
        assert not made[3].gone.is_set(), "what never began is not told to be lost"
        others.append(await come(listener, "127.0.0.7", b"work"))
        assert [await is_closed(each) for each in greedy] == [True, False]
        one_each = asyncio.open_connection(HERE, listener.port, local_addr=("127.0.0.6", 0))
        assert await is_closed(await one_each), "everybody has one, at work"
        assert listener.counters.turned_away_total == 2
        for _, writer in (*others, *greedy):
            writer.close()
        await listener.drain(1)

    run_on(main())


class Slow(Echo):
    """Answers a little later, so that a drain finds something under way."""

    async def answer(self, octets: bytes) -> None:
        await self.may_answer.wait()
        self.transport.write(octets)
        if self.listener.draining:
            self.transport.close()

    def started(self) -> None:
        self.may_answer = asyncio.Event()

    def received(self, octets: bytes) -> None:
        self.task = asyncio.ensure_future(self.answer(octets))

    def finish(self) -> None:
        if not hasattr(self, "task"):
            self.transport.close()


def test_drain_finishes_what_is_under_way_and_accepts_nothing_new(run_on) -> None:
    async def main() -> None:
        made: list[Echo] = []
        listener = await listen_tcp(keeping(made, Slow), HERE, 0)
        reader, writer = await asyncio.open_connection(HERE, listener.port)
        idle_reader, idle_writer = await asyncio.open_connection(HERE, listener.port)
        writer.write(b"question")
        await until(lambda: len(made) == 2 and hasattr(made[0], "task"))
        drained = asyncio.ensure_future(listener.drain(10))
        assert await idle_reader.read() == b""
        with pytest.raises(OSError):
            await asyncio.open_connection(HERE, listener.port)
        assert not drained.done()
        made[0].may_answer.set()  # type: ignore[attr-defined]
        assert await reader.read() == b"question"
        await drained
        assert not listener.connections
        writer.close()
        idle_writer.close()
        again = await listen_tcp(Echo, HERE, listener.port)  # the port is free again
        await again.drain(1)

    run_on(main())


def test_drain_resets_what_is_left_at_its_deadline(run_on) -> None:
    async def main() -> None:
        made: list[Echo] = []
        listener = await listen_tcp(keeping(made, Slow), HERE, 0)
        reader, writer = await asyncio.open_connection(HERE, listener.port)
        writer.write(b"question")
        await until(lambda: made and hasattr(made[0], "task"))
        await listener.drain(0.05)
        assert not listener.connections
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        await listener.drain(1)  # may be called again
        made[0].task.cancel()  # type: ignore[attr-defined]
        writer.close()

    run_on(main())


def test_abort_resets_every_connection_at_once(run_on) -> None:
    async def main() -> None:
        made: list[Echo] = []
        listener = await listen_tcp(keeping(made, Generous), HERE, 0)
        reader, writer = await asyncio.open_connection(HERE, listener.port, limit=1)
        writer.write(b"a" * 320)
        await until(lambda: made and made[0].received_bytes)
        listener.abort()
        listener.abort()
        with pytest.raises(ConnectionResetError):
            while await reader.read(65536):
                pass
        await made[0].gone.wait()
        made[0].reset()  # harmless: the descriptor may be somebody else's by now
        writer.close()

    run_on(main())
