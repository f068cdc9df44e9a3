"""Queries in, replies out: what is read, what is refused, and how a reply that is too long is cut."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import pytest

from nearcast.wire.dns.codes import Rcode, Type
from nearcast.wire.dns.message import DnsFault, Query, build_reply, fault_reply, parse_query
from nearcast.wire.dns.names import wire_name
from nearcast.wire.dns.rrset import compile_rrset

PLAIN = dns.message.make_query("www.Movie.test", "A", id=7).to_wire()
ECS = dns.edns.ECSOption("203.0.113.0", 24)


def query(**wanted: object) -> dns.message.QueryMessage:
    return dns.message.make_query("www.Movie.test", "A", id=7, **wanted)  # type: ignore[arg-type]


def parsed(octets: bytes) -> Query:
    found = parse_query(octets)
    assert found is not None
    return found


def refused(octets: bytes) -> Rcode:
    with pytest.raises(DnsFault) as caught:
        parse_query(octets)
    reply = dns.message.from_wire(fault_reply(octets, caught.value))
    assert reply.id == int.from_bytes(octets[:2], "big")
    assert reply.flags & dns.flags.QR
    assert reply.rcode() == caught.value.rcode
    return caught.value.rcode


def test_a_plain_question() -> None:
    found = parsed(PLAIN)
    assert (found.id, found.name, found.rdtype, found.rdclass) == (7, wire_name("www.movie.test"), 1, 1)
    assert found.question == b"\x03www\x05Movie\x04test\x00\x00\x01\x00\x01"  # in the case it came
    assert found.edns is None
    assert found.recursion_desired


def test_edns_payload_do_and_client_subnet() -> None:
    cookie = dns.edns.GenericOption(10, b"12345678")
    found = parsed(query(use_edns=0, payload=1400, want_dnssec=True, options=[cookie, ECS]).to_wire()).edns
    assert found is not None
    assert (found.udp_bytes, found.dnssec_ok) == (1400, True)
    assert found.subnet is not None
    assert found.subnet.network == ip_network("203.0.113.0/24")
    assert (found.subnet.source, found.subnet.address) == (24, b"\xcb\x00\x71")


@pytest.mark.parametrize(
    "subnet", ["0.0.0.0/0", "10.0.0.0/9", "203.0.113.7/32", "2001:db8::/56", "2001:db8::1/128"]
)
def test_client_subnets_of_any_length(subnet: str) -> None:
    network = ip_network(subnet)
    option = dns.edns.ECSOption(str(network.network_address), network.prefixlen)
    edns = parsed(query(use_edns=0, options=[option]).to_wire()).edns
    assert edns is not None and edns.subnet is not None
    assert edns.subnet.network == network


@pytest.mark.parametrize("octets", [b"", PLAIN[:11], PLAIN[:2] + b"\x81\x80" + PLAIN[4:]])
def test_silence_for_what_is_no_query(octets: bytes) -> None:
    assert parse_query(octets) is None


def test_other_opcodes_are_not_implemented() -> None:
    update = query()
    update.set_opcode(dns.opcode.NOTIFY)
    assert refused(update.to_wire()) == Rcode.NOTIMP


def test_a_later_version_of_edns_is_named_as_such() -> None:
    assert refused(query(use_edns=1).to_wire()) == Rcode.BADVERS


def with_option(option: bytes) -> bytes:
    wire = query(use_edns=0).to_wire()
    return wire[:-2] + len(option).to_bytes(2, "big") + option


def ecs(body: bytes) -> bytes:
    return with_option(b"\0\x08" + len(body).to_bytes(2, "big") + body)


@pytest.mark.parametrize(
    "octets",
    [
        PLAIN[:20],  # ends within the question
        PLAIN[:-2],
        PLAIN + b"x",
        PLAIN[:4] + b"\0\0" + PLAIN[6:],  # no question
        PLAIN[:4] + b"\0\2" + PLAIN[6:],  # two, of which one is missing
        PLAIN[:12] + b"\xc0\x0c\0\1\0\1",  # a question that points to itself
        PLAIN[:12] + (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1",  # a name of 257 bytes
        PLAIN[:10] + b"\0\1" + PLAIN[12:],  # an additional record that is not there
        PLAIN[:10] + b"\0\1" + PLAIN[12:] + b"\xc0\xff\0\1\0\1\0\0\0\0\0\0",
        query(use_edns=0).to_wire()[:10] + b"\0\2" + PLAIN[12:] + query(use_edns=0).to_wire()[-11:] * 2,
        with_option(b"\0\x0a\0"),  # ends within an option's head
        with_option(b"\0\x0a\0\x09x"),  # an option longer than its record
        ecs(b"\0\1\x18"),
        ecs(b"\0\1\x21\0" + bytes(5)),  # 33 bits of IPv4
        ecs(b"\0\1\x18\0\xcb\0"),  # too few octets
        ecs(b"\0\1\x18\0\xcb\0\x71\x07"),  # too many
        ecs(b"\0\1\x14\0\xcb\0\x71"),  # bits beyond the prefix
        ecs(b"\0\1\x18\x18\xcb\0\x71"),  # a scope in a query
        ecs(b"\0\3\x08\0\x01"),  # a family that nobody knows
    ],
)
def test_malformed_queries_are_told_so(octets: bytes) -> None:
    assert refused(octets) == Rcode.FORMERR


def test_family_zero_with_nothing_is_an_opt_out() -> None:
    edns = parsed(ecs(b"\0\0\0\0")).edns
    assert edns is not None and edns.subnet == (0, 0, b"")
    assert edns.subnet.option(0) == b"\0\x08\0\x04\0\0\0\0"


def records(count: int, owner: str = "www.movie.test") -> Callable[[], tuple[int, bytes]]:
    rdatas = [bytes([127, 0, number >> 8, number & 255]) for number in range(count)]
    return lambda: compile_rrset(wire_name(owner), Type.A, 60, rdatas).in_full


def test_a_reply_echoes_id_case_and_the_flags_that_are_the_clients() -> None:
    asked = query(flags=dns.flags.RD | dns.flags.CD, use_edns=0, want_dnssec=True, options=[ECS])
    found = parsed(asked.to_wire())
    octets = build_reply(found, 1232, Rcode.NOERROR, authoritative=True, answer=[records(2)()], scope=20)
    reply = dns.message.from_wire(octets)
    assert reply.id == 7 and reply.question[0].name.labels[1] == b"Movie"
    flags = dns.flags.QR | dns.flags.AA | dns.flags.RD | dns.flags.CD
    assert reply.flags == flags
    assert reply.edns == 0 and reply.ednsflags & dns.flags.DO
    assert reply.options == (dns.edns.ECSOption("203.0.113.0", 24, 20),)
    assert [rdata.address for rdata in reply.answer[0]] == ["127.0.0.0", "127.0.0.1"]


def test_without_edns_in_the_query_there_is_none_in_the_reply() -> None:
    reply = dns.message.from_wire(build_reply(parsed(PLAIN), 512, 0, why="told to nobody"))
    assert reply.edns == -1


def test_why_is_an_extended_error() -> None:
    reply = dns.message.from_wire(build_reply(parsed(query(use_edns=0).to_wire()), 1232, 2, why="no server"))
    assert reply.options[0].text == "no server"  # type: ignore[attr-defined]


def test_an_rrset_that_does_not_fit_is_left_out_whole_and_tc_says_so() -> None:
    found = parsed(PLAIN)
    small, large = records(2)(), records(40)()
    octets = build_reply(found, found.reply_bytes_max(False), 0, answer=[small, large], authority=[small])
    assert len(octets) <= 512
    reply = dns.message.from_wire(octets)
    assert reply.flags & dns.flags.TC
    assert len(reply.answer[0]) == 2 and not reply.authority
    whole = dns.message.from_wire(build_reply(found, found.reply_bytes_max(True), 0, answer=[large]))
    assert not whole.flags & dns.flags.TC
    assert len(whole.answer[0]) == 40


def test_glue_that_does_not_fit_sets_tc() -> None:
    octets = build_reply(parsed(PLAIN), 512, 0, authority=[records(2)()], additional=[records(40)()])
    assert dns.message.from_wire(octets).flags & dns.flags.TC


@pytest.mark.parametrize(("announced", "granted"), [(0, 512), (512, 512), (900, 900), (4096, 1232)])
def test_the_reply_is_as_long_as_the_client_can_take_and_never_fragmented(
    announced: int, granted: int
) -> None:
    found = parsed(query(use_edns=0, payload=announced).to_wire())
    assert found.reply_bytes_max(False) == granted
    assert found.reply_bytes_max(True) == 65535
