"""UDP listeners: answers at once and later, silence, bounds, unreachable and impossible peers, the drain."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct

import pytest

from nearcast.serve.udp import DatagramListener, Peer, listen_udp

HERE = "127.0.0.1"


def a_client() -> socket.socket:
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.bind((HERE, 0))
    sock.setblocking(False)
    return sock


async def ask(listener: DatagramListener, octets: bytes) -> bytes:
    with a_client() as sock:
        sock.sendto(octets, (HERE, listener.port))
        return await asyncio.get_running_loop().sock_recv(sock, 65535)


def reverse(octets: bytes, peer: Peer) -> bytes | None:
    return octets[::-1] if octets != b"be silent" else None


def test_an_answer_known_at_once_goes_back_to_the_asker(run_on) -> None:
    async def main() -> None:
        listener = await listen_udp(reverse, HERE, 0)
        assert listener.port > 0
        assert await ask(listener, b"abc") == b"cba"
        await listener.drain(1)

    run_on(main())


def test_none_is_silence(run_on) -> None:
    async def main() -> None:
        listener = await listen_udp(reverse, HERE, 0)
        with a_client() as sock:
            sock.sendto(b"be silent", (HERE, listener.port))
            sock.sendto(b"12", (HERE, listener.port))
            assert await asyncio.get_running_loop().sock_recv(sock, 99) == b"21"
        assert listener.counters.received_total == 2
        await listener.drain(1)

    run_on(main())


def test_a_coroutine_is_waited_for(run_on) -> None:
    async def later(octets: bytes, peer: Peer) -> bytes:
        await asyncio.sleep(0)
        return octets + b" from " + str(peer[1]).encode()

    async def main() -> None:
        listener = await listen_udp(later, HERE, 0)
        assert (await ask(listener, b"hello")).startswith(b"hello from ")
        await listener.drain(1)

    run_on(main())


def test_coroutines_under_way_are_bounded_and_one_more_is_dropped(run_on) -> None:
    async def main() -> None:
        may_answer = asyncio.Event()

        async def later(octets: bytes, peer: Peer) -> bytes:
            await may_answer.wait()
            return octets

        listener = await listen_udp(later, HERE, 0, waiting_max=2)
        loop = asyncio.get_running_loop()
        with a_client() as sock:
            for octets in (b"1", b"2", b"3"):
                sock.sendto(octets, (HERE, listener.port))
            while listener.counters.dropped_total < 1:  # noqa: ASYNC110
                await asyncio.sleep(0)
            may_answer.set()
            assert {await loop.sock_recv(sock, 9), await loop.sock_recv(sock, 9)} == {b"1", b"2"}
            sock.sendto(b"4", (HERE, listener.port))  # there is listener again
            assert await loop.sock_recv(sock, 9) == b"4"
        await listener.drain(1)

    run_on(main())


def test_an_asker_that_went_away_harms_nobody(run_on) -> None:
    async def main() -> None:
        listener = await listen_udp(reverse, HERE, 0)
        for _ in range(3):  # the second answer meets the ICMP error of the first
            with a_client() as sock:
                sock.sendto(b"abc", (HERE, listener.port))
        assert await ask(listener, b"abc") == b"cba"
        await listener.drain(1)

    run_on(main())


def test_an_answer_too_long_for_a_datagram_harms_nobody(run_on) -> None:
    async def main() -> None:
        listener = await listen_udp(lambda octets, _: bytes(70000) if octets == b"much" else octets, HERE, 0)
        with a_client() as sock:
            sock.sendto(b"much", (HERE, listener.port))
        assert await ask(listener, b"abc") == b"abc"
        await listener.drain(1)

    run_on(main())


def test_a_question_from_port_0_which_cannot_be_answered_harms_nobody(run_on) -> None:
    async def main() -> None:
        listener = await listen_udp(reverse, HERE, 0)
        try:
            raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
        except PermissionError:
            pytest.skip("needs CAP_NET_RAW")
        with raw:
            raw.sendto(struct.pack(">HHHH", 0, listener.port, 11, 0) + b"abc", (HERE, 0))
        assert await ask(listener, b"abc") == b"cba"
        assert listener.counters.received_total == 2
        await listener.drain(1)

    run_on(main())


def test_a_taken_port_is_an_oserror_and_a_shared_one_is_not(run_on) -> None:
    async def main() -> None:
        listener = await listen_udp(reverse, HERE, 0)
        with pytest.raises(OSError) as caught:
            await listen_udp(reverse, HERE, listener.port)
        assert caught.value.errno == errno.EADDRINUSE
        await listener.drain(1)
        first = await listen_udp(reverse, HERE, 0, share_port=True)
        second = await listen_udp(reverse, HERE, first.port, share_port=True)
        await first.drain(1)
        await second.drain(1)

    run_on(main())


def test_drain_lets_answers_under_way_leave_and_frees_the_port(run_on) -> None:
    async def main() -> None:
        may_answer = asyncio.Event()

        async def later(octets: bytes, peer: Peer) -> bytes:
            await may_answer.wait()
            return octets

        listener = await listen_udp(later, HERE, 0)
        port = listener.port
        loop = asyncio.get_running_loop()
        with a_client() as sock:
            sock.sendto(b"under way", (HERE, port))
            while not listener.counters.received_total:  # noqa: ASYNC110
                await asyncio.sleep(0)
            drained = asyncio.ensure_future(listener.drain(10))
            await asyncio.sleep(0)
            sock.sendto(b"too late", (HERE, port))
            while not listener.counters.dropped_total:  # noqa: ASYNC110
                await asyncio.sleep(0)
            may_answer.set()
            assert await loop.sock_recv(sock, 99) == b"under way"
            await drained
        again = await listen_udp(reverse, HERE, port)
        await again.drain(1)

    run_on(main())


def test_drain_gives_up_at_its_deadline_and_may_be_called_again(run_on) -> None:
    async def never(octets: bytes, peer: Peer) -> bytes:
        await asyncio.Event().wait()
        return octets

    async def main() -> None:
        listener = await listen_udp(never, HERE, 0)
        with a_client() as sock:
            sock.sendto(b"abc", (HERE, listener.port))
            while not listener.counters.received_total:  # noqa: ASYNC110
                await asyncio.sleep(0)
        await listener.drain(0.01)
        await listener.drain(1)
        listener.abort()

    run_on(main())


def test_when_the_kernel_takes_no_more_answers_are_dropped(run_on) -> None:
    async def main() -> None:
        listener = await listen_udp(reverse, HERE, 0)
        listener.pause_writing()  # as the transport does with a full buffer
        with a_client() as sock:
            sock.sendto(b"abc", (HERE, listener.port))
            while not listener.counters.dropped_total:  # noqa: ASYNC110
                await asyncio.sleep(0)
        listener.resume_writing()
        assert await ask(listener, b"abc") == b"cba"
        await listener.drain(1)

    run_on(main())
