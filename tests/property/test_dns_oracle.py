"""The codec against dnspython: whatever one writes the other reads, and no bytes bring us down."""

from __future__ import annotations

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
from hypothesis import example, given
from hypothesis import strategies as st

from nearcast.router.authority import Authority
from nearcast.wire.dns.message import DnsFault, build_reply, fault_reply, parse_query
from nearcast.wire.dns.names import NameFault, lineage, name_text, read_name, wire_name
from nearcast.wire.dns.rrset import compile_rrset
from nearcast.wire.dns.zone import compile_zone

labels = st.binary(min_size=1, max_size=20)
names = st.lists(labels, max_size=6).map(lambda parts: dns.name.Name([*parts, b""]))
plain_names = st.lists(st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True), min_size=1, max_size=6)
types = st.integers(1, 65535).filter(lambda number: number not in (41, 250))


@st.composite
def subnets(draw: st.DrawFn) -> dns.edns.ECSOption:
    if draw(st.booleans()):
        return dns.edns.ECSOption(str(draw(st.ip_addresses(v=4))), draw(st.integers(0, 32)))
    return dns.edns.ECSOption(str(draw(st.ip_addresses(v=6))), draw(st.integers(0, 128)))


@st.composite
def queries(draw: st.DrawFn) -> dns.message.QueryMessage:
    edns = draw(st.booleans())
    options = draw(st.lists(subnets() | st.just(dns.edns.GenericOption(10, b"cookies!")), max_size=2))
    return dns.message.make_query(
        draw(names),
        draw(types),
        use_edns=0 if edns else None,
        payload=draw(st.integers(0, 65535)) if edns else None,
        want_dnssec=edns and draw(st.booleans()),
        options=options if edns else None,
        flags=draw(st.sampled_from([0, dns.flags.RD, dns.flags.CD | dns.flags.AD])),
        id=draw(st.integers(0, 65535)),
    )


@given(queries())
def test_a_query_is_read_as_dnspython_wrote_it(query: dns.message.QueryMessage) -> None:
    found = parse_query(query.to_wire())
    assert found is not None
    asked = query.question[0]
    assert (found.id, found.rdtype, found.rdclass) == (query.id, asked.rdtype, asked.rdclass)
    assert found.name == asked.name.canonicalize().to_wire()
    assert (found.edns is None) == (query.edns < 0)
    if found.edns is not None:
        assert found.edns.udp_bytes == query.payload
        assert found.edns.dnssec_ok == bool(query.ednsflags & dns.flags.DO)
        told = [each for each in query.options if isinstance(each, dns.edns.ECSOption)]
        assert (found.edns.subnet is None) == (not told)
        if found.edns.subnet is not None:
            assert found.edns.subnet.option(0)[4:] == told[0].to_wire()


@given(queries(), st.integers(0, 30), st.integers(0, 3), st.integers(512, 2000))
def test_every_reply_is_read_by_dnspython_and_keeps_its_bound(
    query: dns.message.QueryMessage, count: int, sections: int, bytes_max: int
) -> None:
    found = parse_query(query.to_wire())
    assert found is not None
    rrset = compile_rrset(found.name, 1, 60, [bytes([10, 0, 0, number]) for number in range(count + 1)])
    parts = [[rrset.at_question] if sections > section else [] for section in range(3)]
    octets = build_reply(found, bytes_max, 0, answer=parts[0], authority=parts[1], additional=parts[2])
    reply = dns.message.from_wire(octets)
    fixed = 12 + len(found.question) + (11 if found.edns else 0)
    assert len(octets) <= max(bytes_max, fixed + 140)
    assert reply.id == query.id
    assert reply.question[0].name.labels == query.question[0].name.labels
    whole = [section for section in (reply.answer, reply.authority, reply.additional) if section]
    assert all(len(section[0]) == count + 1 for section in whole)
    assert bool(reply.flags & dns.flags.TC) == (len(whole) < sections)


ZONE = compile_zone(
    "movie.test",
    """
@ 60 IN SOA ns hostmaster 1 2 3 4 5
@ 60 IN NS ns
ns 60 IN A 192.0.2.1
*.wild 60 IN TXT "any"
www 60 IN CNAME x.wild
loop 60 IN CNAME loop
child 60 IN NS ns.child
ns.child 60 IN A 192.0.2.2
""",
)
AUTHORITY = Authority([ZONE])
QUERY = dns.message.make_query("www.movie.test", "A", use_edns=0, options=[dns.edns.ECSOption("10.0.0.0", 8)])


@given(st.binary(max_size=600), st.booleans())
@example(QUERY.to_wire(), False)
def test_no_bytes_bring_the_authority_down(octets: bytes, stream: bool) -> None:
    reply = AUTHORITY.answer(octets, ("127.0.0.1", 53), stream)
    if reply is not None:
        assert dns.message.from_wire(reply).flags & dns.flags.QR


@given(st.data())
def test_no_change_of_a_good_query_brings_the_authority_down(data: st.DataObject) -> None:
    octets = bytearray(QUERY.to_wire())
    for _ in range(data.draw(st.integers(1, 6))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    del octets[data.draw(st.integers(0, len(octets))) :]
    reply = AUTHORITY.answer(bytes(octets), ("127.0.0.1", 53), False)
    if reply is not None:
        assert dns.message.from_wire(reply).flags & dns.flags.QR


@given(st.lists(st.sampled_from(["www", "wild", "loop", "child", "ns", "x", "*"]), max_size=4), types)
def test_every_answer_of_a_zone_is_read_by_dnspython(parts: list[str], rdtype: int) -> None:
    query = dns.message.make_query(".".join([*parts, "movie", "test"]), rdtype)
    octets = AUTHORITY.answer(query.to_wire(), ("127.0.0.1", 53), False)
    assert octets is not None
    reply = dns.message.from_wire(octets)
    assert query.is_response(reply)


@given(st.binary(max_size=100), st.integers(0, 99))
def test_reading_a_name_ends_in_a_name_or_a_fault(octets: bytes, at: int) -> None:
    try:
        name, after = read_name(octets, at)
    except NameFault:
        return
    expected, used = dns.name.from_wire(octets, at)
    assert name == expected.canonicalize().to_wire()
    assert after == at + used


@given(plain_names)
def test_text_and_back(parts: list[str]) -> None:
    text = ".".join(parts)
    wire = wire_name(text)
    assert wire == dns.name.from_text(text).canonicalize().to_wire()
    assert name_text(wire) == text.lower()
    assert [name_text(each) for each in lineage(wire)][-1] == "."


@given(names)
def test_odd_names_are_written_so_that_dnspython_reads_them_back(name: dns.name.Name) -> None:
    wire = name.canonicalize().to_wire()
    assert wire is not None
    assert dns.name.from_text(name_text(wire)).to_wire() == wire


def test_a_fault_reply_is_read_by_dnspython() -> None:
    broken = QUERY.to_wire()[:-3]
    try:
        parse_query(broken)
    except DnsFault as fault:
        assert dns.message.from_wire(fault_reply(broken, fault)).id == QUERY.id
    else:
        raise AssertionError("a cut query is a fault")
