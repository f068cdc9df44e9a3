"""Asking a name server: losses, impostors, truncation, and servers that are not there."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from ipaddress import ip_network
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import pytest

from nearcast.model.faults import UpstreamFault
from nearcast.serve.dns_client import DnsClient
from nearcast.serve.dns_server import DnsListener, listen_dns
from nearcast.serve.udp import listen_udp

RunOn = Callable[[Coroutine[Any, Any, Any]], Any]
Peer = tuple[str, int]


def answer(query: bytes, rcode: dns.rcode.Rcode = dns.rcode.NOERROR) -> dns.message.Message:
    reply = dns.message.make_response(dns.message.from_wire(query))
    reply.set_rcode(rcode)
    return reply


def client(**wanted: Any) -> DnsClient:
    return DnsClient(rng=random.Random(5), **wanted)


def place(listener: DnsListener) -> tuple[str, int]:
    return "127.0.0.1", listener.port


def test_the_query_says_what_was_asked(run_on: RunOn) -> None:
    async def scene() -> None:
        seen: list[tuple[dns.message.Message, Peer]] = []

        def server(query: bytes, peer: Peer, stream: bool) -> bytes:
            seen.append((dns.message.from_wire(query), peer))
            return answer(query).to_wire()

        listener = await listen_dns(server, "127.0.0.1", 0)
        asking = client(local_address="127.0.0.9")
        await asking.ask(
            place(listener), "www.movie.test", "AAAA", client_subnet=ip_network("203.0.113.0/24")
        )
        await asking.ask(place(listener), "www.movie.test", 1, recursion=False)
        (first, from_first), (second, from_second) = seen
        assert str(first.question[0]) == "www.movie.test. IN AAAA"
        assert first.flags & dns.flags.RD and not second.flags & dns.flags.RD
        assert first.options == (dns.edns.ECSOption("203.0.113.0", 24),) and first.payload == 1232
        assert from_first[0] == from_second[0] == "127.0.0.9"
        assert from_first[1] != from_second[1] and first.id != second.id
        await listener.drain(1)

    run_on(scene())


def test_lost_datagrams_are_asked_for_again_with_another_id(run_on: RunOn) -> None:
    async def scene() -> None:
        seen: list[int] = []

        def server(query: bytes, peer: Peer, stream: bool) -> bytes | None:
            seen.append(int.from_bytes(query[:2], "big"))
            return answer(query).to_wire() if len(seen) == 3 else None

        listener = await listen_dns(server, "127.0.0.1", 0)
        reply = await client().ask(place(listener), "movie.test", "A", try_seconds=0.02, tries=50)
        assert reply.rcode() == dns.rcode.NOERROR
        assert len(set(seen)) == 3
        await listener.drain(1)

    run_on(scene())


def test_silence_is_a_fault_that_names_the_server(run_on: RunOn) -> None:
    async def scene() -> None:
        listener = await listen_dns(lambda query, peer, stream: None, "127.0.0.1", 0)
        with pytest.raises(
            UpstreamFault, match=f"127.0.0.1:{listener.port}.* did not answer within 2 x 0.01 s"
        ):
            await client().ask(place(listener), "movie.test", "A", try_seconds=0.01, tries=2)
        await listener.drain(1)
        with pytest.raises(UpstreamFault, match="cannot be asked") as caught:
            await client().ask(place(listener), "movie.test", "A")
        assert caught.value.retry_safe

    run_on(scene())


@pytest.mark.parametrize("wrong", ["id", "question", "case", "no reply", "noise", "empty"])
def test_datagrams_that_do_not_match_are_as_if_they_had_not_come(run_on: RunOn, wrong: str) -> None:
    async def scene() -> None:
        def server(query: bytes, peer: Peer) -> bytes:
            reply = answer(query)
            fake = answer(query, dns.rcode.REFUSED)
            if wrong == "id":
                fake.id ^= 1
            elif wrong == "question":
                fake.question[0].name = dns.name.from_text("evil.test")
            elif wrong == "case":
                fake.question[0].name = dns.name.from_text(str(fake.question[0].name).swapcase())
            elif wrong == "no reply":
                fake.flags &= ~dns.flags.QR
            listener.transport.sendto({"noise": b"noise", "empty": b""}.get(wrong, fake.to_wire()), peer)
            return reply.to_wire()

        listener = await listen_udp(server, "127.0.0.1", 0)
        asking = client(mixed_case=True)
        reply = await asking.ask(("127.0.0.1", listener.port), "www.movie.test", "A")
        assert reply.rcode() == dns.rcode.NOERROR
        await listener.drain(1)

    run_on(scene())


def test_datagrams_from_another_address_are_ignored(run_on: RunOn) -> None:
    async def scene() -> None:
        impostor = await listen_udp(lambda octets, peer: None, "127.0.0.3", 0)

        def server(query: bytes, peer: Peer) -> bytes:
            impostor.transport.sendto(answer(query, dns.rcode.REFUSED).to_wire(), peer)
            return answer(query).to_wire()

        listener = await listen_udp(server, "127.0.0.1", 0)
        asking = client(local_address="127.0.0.1")
        reply = await asking.ask(("127.0.0.1", listener.port), "www.movie.test", "A")
        assert reply.rcode() == dns.rcode.NOERROR
        await listener.drain(1)
        await impostor.drain(1)

    run_on(scene())


def test_the_case_of_the_name_is_mixed_and_the_name_the_same(run_on: RunOn) -> None:
    async def scene() -> None:
        seen: list[str] = []

        def server(query: bytes, peer: Peer, stream: bool) -> bytes:
            seen.append(str(dns.message.from_wire(query).question[0].name))
            return answer(query).to_wire()

        listener = await listen_dns(server, "127.0.0.1", 0)
        asking = client(mixed_case=True)
        for _ in range(3):
            await asking.ask(place(listener), "www.movie-1.test", "A")
        assert len(set(seen)) > 1
        assert {name.lower() for name in seen} == {"www.movie-1.test."}
        await listener.drain(1)

    run_on(scene())


def test_a_truncated_reply_is_asked_for_over_tcp(run_on: RunOn) -> None:
    async def scene() -> None:
        streams: list[bool] = []

        def server(query: bytes, peer: Peer, stream: bool) -> bytes:
            streams.append(stream)
            reply = answer(query, dns.rcode.NXDOMAIN)
            if not stream:
                reply.flags |= dns.flags.TC
            return reply.to_wire()

        listener = await listen_dns(server, "127.0.0.1", 0)
        reply = await client().ask(place(listener), "movie.test", "A")
        assert reply.rcode() == dns.rcode.NXDOMAIN and not reply.flags & dns.flags.TC
        await client().ask(place(listener), "movie.test", "A", stream=True)
        assert streams == [False, True, True]
        await listener.drain(1)

    run_on(scene())


def test_a_server_that_hangs_up_is_a_fault(run_on: RunOn) -> None:
    async def scene() -> None:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.close()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(UpstreamFault):
            await client().ask(("127.0.0.1", port), "movie.test", "A", stream=True)
        server.close()

    run_on(scene())
