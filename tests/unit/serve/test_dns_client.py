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
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest

from nearcast.model.faults import UpstreamFault
from nearcast.serve.dns_client import DnsClient, read_reply
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


@pytest.mark.parametrize(
    "wrong",
    ["id", "question", "type", "class", "two questions", "case", "no reply", "opcode", "noise", "empty"],
)
def test_datagrams_that_do_not_match_are_as_if_they_had_not_come(run_on: RunOn, wrong: str) -> None:
    async def scene() -> None:
        def server(query: bytes, peer: Peer) -> bytes:
            reply = answer(query)
            fake = answer(query, dns.rcode.REFUSED)
            if wrong == "id":
                fake.id ^= 1
            elif wrong == "question":
                fake.question[0].name = dns.name.from_text("evil.test")
            elif wrong == "type":
                fake.question[0].rdtype = dns.rdatatype.AAAA
            elif wrong == "class":
                fake.question[0].rdclass = dns.rdataclass.CH
            elif wrong == "two questions":
                fake.question.append(dns.rrset.RRset(dns.name.from_text("b.test"), 1, 1))
            elif wrong == "opcode":
                fake.set_opcode(dns.opcode.STATUS)
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


ADDRESS = ("www.movie.test.", 86400, "IN", "A", "192.0.2.66")
SUBNET = ip_network("203.0.113.0/24")


@pytest.mark.parametrize("rcode", [dns.rcode.NOERROR, dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN])
def test_a_reply_without_its_question_is_none(rcode: dns.rcode.Rcode) -> None:
    query = dns.message.make_query("www.movie.test", "A")
    reply = answer(query.to_wire(), rcode)
    reply.answer.append(dns.rrset.from_text(*ADDRESS))
    assert read_reply(reply.to_wire(), query)[0] is not None
    reply.question.clear()
    assert read_reply(reply.to_wire(), query)[0] is None


@pytest.mark.parametrize(
    "rcode", [dns.rcode.FORMERR, dns.rcode.SERVFAIL, dns.rcode.NOTIMP, dns.rcode.REFUSED]
)
def test_only_who_could_not_read_the_question_may_leave_it_out(rcode: dns.rcode.Rcode) -> None:
    query = dns.message.make_query("www.movie.test", "A")
    reply = answer(query.to_wire(), rcode)
    reply.question.clear()
    assert read_reply(reply.to_wire(), query)[0] is not None


@pytest.mark.parametrize(
    ("told", "ours"),
    [
        (("203.0.113.0", 24, 24), True),
        (("203.0.113.0", 24, 0), True),
        (("203.0.113.0", 24, 32), True),  # a scope is the server's to say
        (("198.51.100.0", 24, 24), False),
        (("203.0.113.0", 23, 24), False),
        (("203.0.113.0", 25, 24), False),
        (("203.0.112.0", 24, 24), False),
        (("cb00:7100::", 24, 24), False),  # the same bits of another family
        (("0.0.0.0", 0, 0), False),
        (None, True),  # a server that does not look at subnets says nothing
    ],
)
def test_an_answer_for_another_network_is_no_answer_to_us(
    told: tuple[str, int, int] | None, ours: bool
) -> None:
    asked = dns.edns.ECSOption("203.0.113.0", 24)
    query = dns.message.make_query("www.movie.test", "A", use_edns=0, options=[asked])
    reply = answer(query.to_wire())
    reply.use_edns(0, options=[] if told is None else [dns.edns.ECSOption(*told)])
    assert (read_reply(reply.to_wire(), query)[0] is not None) == ours


def test_an_answer_for_another_network_is_as_if_it_had_not_come(run_on: RunOn) -> None:
    async def scene() -> None:
        def server(query: bytes, peer: Peer) -> bytes:
            reply, fake = answer(query), answer(query)
            fake.use_edns(0, options=[dns.edns.ECSOption("198.51.100.0", 24, 24)])
            fake.answer.append(dns.rrset.from_text(*ADDRESS))
            listener.transport.sendto(fake.to_wire(), peer)
            return reply.to_wire()

        listener = await listen_udp(server, "127.0.0.1", 0)
        asking = ("127.0.0.1", listener.port), "www.movie.test", "A"
        assert not (await client().ask(*asking, client_subnet=SUBNET)).answer
        await listener.drain(1)

    run_on(scene())


@pytest.mark.parametrize("tries", [1, 2])
def test_a_server_that_lower_cases_is_asked_once_more_without_mixed_case(run_on: RunOn, tries: int) -> None:
    async def scene() -> None:
        seen: list[str] = []

        def server(query: bytes, peer: Peer, stream: bool) -> bytes:
            seen.append(str(dns.message.from_wire(query).question[0].name))
            reply = answer(query)
            reply.question[0].name = dns.name.from_text("www.long-movie.test")
            return reply.to_wire()

        listener = await listen_dns(server, "127.0.0.1", 0)
        reply = await client(mixed_case=True).ask(place(listener), "www.long-movie.test", "A", tries=tries)
        assert reply.rcode() == dns.rcode.NOERROR
        assert len(seen) == 2 and seen[0] != seen[1] == "www.long-movie.test."
        await listener.drain(1)

    run_on(scene())


def test_the_case_of_the_name_is_nothing_to_us_over_tcp(run_on: RunOn) -> None:
    async def scene() -> None:
        def server(query: bytes, peer: Peer, stream: bool) -> bytes:
            reply = answer(query)
            reply.flags |= 0 if stream else dns.flags.TC
            if stream:
                reply.question[0].name = dns.name.from_text("www.long-movie.test")
            return reply.to_wire()

        listener = await listen_dns(server, "127.0.0.1", 0)
        reply = await client(mixed_case=True).ask(place(listener), "www.long-movie.test", "A")
        assert not reply.flags & dns.flags.TC
        await listener.drain(1)

    run_on(scene())


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_is_truncated_over_tcp_is_a_failure(run_on: RunOn, stream: bool) -> None:
    async def scene() -> None:
        def server(query: bytes, peer: Peer, over_tcp: bool) -> bytes:
            reply = answer(query)
            reply.flags |= dns.flags.TC | dns.flags.AA
            return reply.to_wire()

        listener = await listen_dns(server, "127.0.0.1", 0)
        with pytest.raises(UpstreamFault, match="sent a truncated answer over TCP"):
            await client().ask(place(listener), "movie.test", "A", stream=stream)
        await listener.drain(1)

    run_on(scene())


def test_something_else_than_the_answer_over_tcp_is_a_failure(run_on: RunOn) -> None:
    async def scene() -> None:
        def server(query: bytes, peer: Peer, stream: bool) -> bytes:
            reply = answer(query)
            reply.id ^= 1
            return reply.to_wire()

        listener = await listen_dns(server, "127.0.0.1", 0)
        with pytest.raises(UpstreamFault, match="something else than an answer"):
            await client().ask(place(listener), "movie.test", "A", stream=True)
        await listener.drain(1)

    run_on(scene())


def test_a_reply_that_is_one_long_chain_of_pointers_is_not_read() -> None:
    query = dns.message.make_query("www.movie.test", "A")
    wire = query.to_wire()
    for count, read in ((10, True), (8000, False)):
        chain = len(wire) + 11
        pointers = b"".join((0xC000 | at).to_bytes(2, "big") for at in range(chain, chain + 2 * count, 2))
        record = b"\0\0\x0a\0\x01\0\0\0\0" + (len(pointers) + 2).to_bytes(2, "big") + b"\0\0" + pointers
        at_the_end = (0xC000 | chain + 2 * count).to_bytes(2, "big") + b"\0\x0a\0\x01\0\0\0\0\0\0"
        octets = wire[:2] + b"\x80\0\0\x01\0\x02\0\0\0\0" + wire[12:] + record + at_the_end
        assert (read_reply(octets, query)[0] is not None) == read
