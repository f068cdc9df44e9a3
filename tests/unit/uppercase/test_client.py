"""The uppercase client against servers that answer late, wrongly, from elsewhere, or not at all."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from nearcast.serve.limits import StreamLimits
from nearcast.serve.loop import run
from nearcast.serve.raw import RawSender, RawSocketRefused
from nearcast.serve.udp import Peer, listen_udp
from nearcast.uppercase.client import (
    AskPolicy,
    NotAsked,
    RawAsker,
    TcpAsker,
    UdpAsker,
    Unanswered,
    UppercaseReply,
)
from nearcast.uppercase.server import UppercaseLimits, start_uppercase
from nearcast.wire.packet import parse

HERE = "127.0.0.1"
QUICK = AskPolicy(seconds=0.05, tries=3)
SURE = AskPolicy(seconds=5, tries=3)


def play(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    run(main())


def test_a_lost_datagram_is_asked_again() -> None:
    async def main() -> None:
        seen: list[bytes] = []

        def lossy(octets: bytes, peer: Peer) -> bytes | None:
            seen.append(octets)
            return octets.upper() if len(seen) == 3 else None

        server = await listen_udp(lossy, HERE, 0)
        lost: list[int] = []
        reply = await UdpAsker((HERE, server.port), QUICK, time.perf_counter, lost.append).ask(b"hello")
        assert reply.octets == b"HELLO"
        assert reply.tries == 3
        assert lost == [1, 2]
        await server.drain(1)

    play(main)


def test_after_the_stated_tries_the_client_says_that_datagrams_may_be_lost() -> None:
    async def main() -> None:
        server = await listen_udp(lambda octets, peer: None, HERE, 0)
        with pytest.raises(Unanswered, match=r"3 tries of 0\.05 s each: datagrams may be lost"):
            await UdpAsker((HERE, server.port), QUICK, time.perf_counter).ask(b"hello")
        assert server.counters.received_total == 3
        await server.drain(1)

    play(main)


def test_a_reply_from_a_wrong_address_is_ignored() -> None:
    async def main() -> None:
        stranger = await listen_udp(lambda octets, peer: None, HERE, 0)

        def misled(octets: bytes, peer: Peer) -> bytes | None:
            stranger.transport.sendto(b"FROM A STRANGER", peer)
            return octets.upper() if server.counters.received_total == 2 else None

        server = await listen_udp(misled, HERE, 0)
        reply = await UdpAsker((HERE, server.port), QUICK, time.perf_counter).ask(b"hello")
        assert reply.octets == b"HELLO"
        assert reply.tries == 2
        await server.drain(1)
        await stranger.drain(1)

    play(main)


def test_a_late_reply_does_not_answer_the_next_question() -> None:
    async def main() -> None:
        async def slow_first(octets: bytes, peer: Peer) -> bytes:
            if octets == b"first":
                await asyncio.sleep(0.15)
            return octets.upper()

        server = await listen_udp(slow_first, HERE, 0)
        with pytest.raises(Unanswered):
            await UdpAsker((HERE, server.port), AskPolicy(0.05, 1), time.perf_counter).ask(b"first")
        asker = UdpAsker((HERE, server.port), SURE, time.perf_counter)
        for _ in range(5):
            assert (await asker.ask(b"second")).octets == b"SECOND"
            await asyncio.sleep(0.03)
        await server.drain(1)

    play(main)


@pytest.mark.parametrize("asker", [UdpAsker, TcpAsker])
def test_nobody_listens(asker: type[UdpAsker] | type[TcpAsker]) -> None:
    async def main() -> None:
        server = await start_uppercase(HERE, 0)
        await server.drain(1)
        with pytest.raises(Unanswered, match="nobody listens on") as caught:
            await asker((HERE, server.port), SURE, time.perf_counter).ask(b"hello")
        assert f"serve --host {HERE} --port {server.port}" in caught.value.remedy

    play(main)


@pytest.mark.parametrize("asker", [UdpAsker, TcpAsker])
def test_a_name_without_address(asker: type[UdpAsker] | type[TcpAsker]) -> None:
    async def main() -> None:
        with pytest.raises(Unanswered, match="has no address"):
            await asker(("no-such-name.invalid", 9), SURE, time.perf_counter).ask(b"hello")

    play(main)


@pytest.mark.parametrize(("text", "sentence"), [(b"x" * 2049, "2048"), (b"", "no text")])
def test_what_does_not_fit_a_datagram_is_not_sent(text: bytes, sentence: str) -> None:
    async def main() -> None:
        server = await start_uppercase(HERE, 0)
        with pytest.raises(NotAsked, match=sentence):
            await UdpAsker((HERE, server.port), SURE, time.perf_counter).ask(text)
        assert server.datagrams.counters.received_total == 0
        await server.drain(1)

    play(main)


def test_tcp_asks_many_lines_over_one_connection_and_a_text_of_several_lines() -> None:
    async def main() -> None:
        server = await start_uppercase(HERE, 0)
        asker = TcpAsker((HERE, server.port), SURE, time.perf_counter)
        for text, reply in [(b"one", b"ONE"), (b"", b""), (b"two\nthree", b"TWO\nTHREE"), (b"x\n", b"X\n")]:
            assert (await asker.ask(text)).octets == reply
        assert server.stream.counters.accepted_total == 1
        await asker.close()
        await server.drain(1)

    play(main)


def test_a_connection_closed_for_idleness_is_made_anew() -> None:
    async def main() -> None:
        server = await start_uppercase(HERE, 0, UppercaseLimits(stream=StreamLimits(idle_seconds=0.03)))
        asker = TcpAsker((HERE, server.port), SURE, time.perf_counter)
        assert (await asker.ask(b"one")).octets == b"ONE"
        while server.stream.connections:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert (await asker.ask(b"two")).octets == b"TWO"
        assert server.stream.counters.accepted_total == 2
        await asker.close()
        await server.drain(1)

    play(main)


def test_a_server_that_accepts_and_says_nothing_or_closes() -> None:
    async def main() -> None:
        silent = await asyncio.start_server(lambda reader, writer: None, HERE, 0)
        abrupt = await asyncio.start_server(lambda reader, writer: writer.close(), HERE, 0)
        for server, sentence in ((silent, "no reply within 0.15 s"), (abrupt, "closed the connection")):
            place = HERE, server.sockets[0].getsockname()[1]
            asker = TcpAsker(place, QUICK, time.perf_counter)
            with pytest.raises(Unanswered, match=sentence):
                await asker.ask(b"hello")
            await asker.close()
            server.close()

    play(main)


@pytest.mark.parametrize("address", [HERE, "::1"])
def test_a_packet_built_by_hand_is_answered(address: str) -> None:
    async def main() -> UppercaseReply:
        server = await start_uppercase(address, 0)
        try:
            return await RawAsker((address, server.port), SURE, time.perf_counter).ask("straße".encode())
        finally:
            await server.drain(1)

    try:
        reply = run(main())
    except (RawSocketRefused, OSError) as fault:
        pytest.skip(f"needs CAP_NET_RAW and the address: {fault}")
    assert reply.octets == b"STRASSE"
    packet = parse(reply.packet)
    assert packet.text == "straße".encode()
    assert (str(packet.destination), packet.destination_port) == reply.server


def test_without_the_capability_a_raw_socket_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def forbidden(*shape: int, **named: int) -> socket.socket:
        if socket.SOCK_RAW in shape:
            raise PermissionError(1, "Operation not permitted")
        return real(*shape, **named)

    async def main() -> None:
        server = await start_uppercase(HERE, 0)
        monkeypatch.setattr("nearcast.serve.raw.socket.socket", forbidden)
        with pytest.raises(RawSocketRefused, match="CAP_NET_RAW"):
            await RawAsker((HERE, server.port), SURE, time.perf_counter).ask(b"hello")
        monkeypatch.undo()
        await server.drain(1)

    play(main)


def test_a_packet_too_long_for_the_network_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_long(sender: RawSender, packet: bytes) -> None:
        raise OSError(90, "Message too long")

    async def main() -> None:
        server = await start_uppercase(HERE, 0)
        monkeypatch.setattr(RawSender, "__init__", lambda self, destination: None)
        monkeypatch.setattr(RawSender, "close", lambda self: None)
        monkeypatch.setattr(RawSender, "send", too_long)
        with pytest.raises(NotAsked, match="not fragmented"):
            await RawAsker((HERE, server.port), SURE, time.perf_counter).ask(b"hello")
        await server.drain(1)

    play(main)
