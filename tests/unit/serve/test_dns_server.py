"""DNS over UDP and TCP: one answer function, frames cut anywhere, pipelining, limits, drain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from nearcast.serve.dns_server import DNS_STREAMS, WAITING_MAX, DnsListener, listen_dns
from nearcast.serve.limits import StreamLimits

RunOn = Callable[[Coroutine[Any, Any, Any]], Any]
Peer = tuple[str, int]


def upper(query: bytes, peer: Peer, stream: bool) -> bytes | None:
    return None if query == b"quiet" else (b"tcp " if stream else b"udp ") + query.upper()


def framed(*messages: bytes) -> bytes:
    return b"".join(len(each).to_bytes(2, "big") + each for each in messages)


async def next_frame(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))


async def connect(listener: DnsListener) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", listener.port)


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.received.put_nowait(data)


def test_both_transports_share_the_port_and_the_function(run_on: RunOn) -> None:
    async def scene() -> None:
        listener = await listen_dns(upper, "127.0.0.1", 0)
        transport, datagrams = await asyncio.get_running_loop().create_datagram_endpoint(
            Datagrams, remote_addr=("127.0.0.1", listener.port)
        )
        transport.sendto(b"quiet")
        transport.sendto(b"one")
        assert await datagrams.received.get() == b"udp ONE"
        transport.close()
        reader, writer = await connect(listener)
        writer.write(framed(b"two"))
        assert await next_frame(reader) == b"tcp TWO"
        writer.close()
        await listener.drain(1)

    run_on(scene())


@pytest.mark.parametrize("cut", [1, 2, 3, 7])
def test_frames_arrive_cut_anywhere_and_joined(run_on: RunOn, cut: int) -> None:
    async def scene() -> None:
        listener = await listen_dns(upper, "127.0.0.1", 0)
        reader, writer = await connect(listener)
        octets = framed(b"first", b"quiet", b"", b"second")
        for at in range(0, len(octets), cut):
            writer.write(octets[at : at + cut])
            await asyncio.sleep(0)
        assert [await next_frame(reader) for _ in range(3)] == [b"tcp FIRST", b"tcp ", b"tcp SECOND"]
        writer.close()
        await listener.drain(1)

    run_on(scene())


def test_answers_come_as_they_are_known_in_any_order(run_on: RunOn) -> None:
    async def scene() -> None:
        slow = asyncio.Event()

        async def later(query: bytes) -> bytes:
            await slow.wait()
            return query

        def answer(query: bytes, peer: Peer, stream: bool) -> bytes | Coroutine[Any, Any, bytes]:
            return later(query) if query == b"slow" else query

        listener = await listen_dns(answer, "127.0.0.1", 0)
        reader, writer = await connect(listener)
        writer.write(framed(b"slow", b"fast"))
        assert await next_frame(reader) == b"fast"
        slow.set()
        assert await next_frame(reader) == b"slow"
        writer.close()
        await listener.drain(1)

    run_on(scene())


def test_a_client_cannot_have_more_than_so_many_answered_at_once(run_on: RunOn) -> None:
    async def scene() -> None:
        full, go = asyncio.Event(), asyncio.Event()
        under_way, most = 0, 0

        async def later(query: bytes) -> bytes:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            if under_way == WAITING_MAX:
                full.set()
            await go.wait()
            under_way -= 1
            return query

        listener = await listen_dns(lambda query, peer, stream: later(query), "127.0.0.1", 0)
        reader, writer = await connect(listener)
        count = 3 * WAITING_MAX
        writer.write(framed(*(b"%d" % number for number in range(count))))
        await full.wait()
        go.set()
        replies = {await next_frame(reader) for _ in range(count)}
        assert len(replies) == count
        assert most == WAITING_MAX
        writer.close()
        await listener.drain(1)

    run_on(scene())


def test_a_half_closed_client_still_gets_its_answers(run_on: RunOn) -> None:
    async def scene() -> None:
        async def later(query: bytes) -> bytes:
            await asyncio.sleep(0)
            return query

        listener = await listen_dns(lambda query, peer, stream: later(query), "127.0.0.1", 0)
        reader, writer = await connect(listener)
        writer.write(framed(b"a", b"b"))
        writer.write_eof()
        assert sorted([await next_frame(reader), await next_frame(reader)]) == [b"a", b"b"]
        assert await reader.read() == b""
        writer.close()
        await listener.drain(1)

    run_on(scene())


def test_drain_answers_what_is_under_way_and_takes_nobody_new(run_on: RunOn) -> None:
    async def scene() -> None:
        asked, go = asyncio.Event(), asyncio.Event()

        async def later(query: bytes) -> bytes:
            asked.set()
            await go.wait()
            return query

        listener = await listen_dns(lambda query, peer, stream: later(query), "127.0.0.1", 0)
        reader, writer = await connect(listener)
        writer.write(framed(b"a"))
        await asked.wait()
        draining = asyncio.create_task(listener.drain(5))
        await asyncio.sleep(0)
        go.set()
        assert await next_frame(reader) == b"a"
        assert await reader.read() == b""
        await draining
        with pytest.raises(OSError):
            await connect(listener)
        writer.close()

    run_on(scene())


def test_an_idle_connection_and_an_abrupt_client_cost_nothing_for_long(run_on: RunOn) -> None:
    async def scene() -> None:
        limits = StreamLimits(connections_max=DNS_STREAMS.connections_max, idle_seconds=0.05)
        listener = await listen_dns(upper, "127.0.0.1", 0, limits=limits)
        reader, writer = await connect(listener)
        _, abrupt = await connect(listener)
        abrupt.write(b"\x01")
        abrupt.transport.abort()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        await listener.drain(1)
        assert not listener.tcp.connections

    run_on(scene())


def test_a_port_that_is_taken_is_said_so(run_on: RunOn) -> None:
    async def scene() -> None:
        listener = await listen_dns(upper, "127.0.0.1", 0)
        with pytest.raises(OSError):
            await listen_dns(upper, "127.0.0.1", listener.port)
        await listener.drain(1)

    run_on(scene())


@pytest.mark.parametrize("heard", [b"\0", b"\0\x05hel"])
def test_a_question_that_does_not_become_whole_holds_no_place(run_on: RunOn, heard: bytes) -> None:
    async def scene() -> None:
        listener = await listen_dns(upper, "127.0.0.1", 0, limits=StreamLimits(idle_seconds=0.2))
        reader, writer = await connect(listener)
        for octet in framed(b"one"):  # a slow one is answered
            writer.write(bytes([octet]))
            await asyncio.sleep(0.02)
        assert await next_frame(reader) == b"tcp ONE"
        if len(heard) == 1:
            writer.write(heard)
        else:
            writer.write(b"\x05\x00")  # 1,280 bytes, one every now and then

        async def trickle() -> None:
            while len(heard) > 1:
                writer.write(b"x")
                await asyncio.sleep(0.02)

        trickling = asyncio.ensure_future(trickle())
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        trickling.cancel()
        writer.close()
        await listener.drain(1)

    run_on(scene())
