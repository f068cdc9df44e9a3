"""The answering core on plain zones: RFC 1034's algorithm, case by case."""

from __future__ import annotations

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest

from nearcast.router.authority import Authority
from nearcast.wire.dns.zone import compile_zone

PARENT = """
@           3600 IN SOA ns hostmaster 1 3600 600 604800 30
@           3600 IN NS  ns
ns          3600 IN A   192.0.2.1
movie       3600 IN NS  ns.movie
ns.movie    3600 IN A   192.0.2.2
far         3600 IN NS  ns.elsewhere.
"""
MOVIE = """
@           3600 IN SOA ns hostmaster 1 3600 600 604800 30
@           3600 IN NS  ns
@           3600 IN MX  10 mail
ns          3600 IN A   192.0.2.2
www         300  IN CNAME target
target      300  IN A   192.0.2.3
out         300  IN CNAME www.cdn.example.
gone        300  IN CNAME nowhere
below       300  IN CNAME x.child
loop        300  IN CNAME pool
pool        300  IN CNAME loop
a.b.deep    300  IN A   192.0.2.4
*.wild      300  IN A   192.0.2.5
*.wild      300  IN TXT "wild"
here.wild   300  IN TXT "here"
*.alias     300  IN CNAME target
child       300  IN NS  ns.child
ns.child    300  IN A   192.0.2.6
"""
PEER = ("127.0.0.1", 5353)
BOTH = Authority([compile_zone("test", PARENT), compile_zone("movie.test", MOVIE)])
ONLY_PARENT = Authority([compile_zone("test", PARENT)])


def ask(name: str, rdtype: str = "A", authority: Authority = BOTH, **wanted: object) -> dns.message.Message:
    query = dns.message.make_query(name, rdtype, **wanted)  # type: ignore[arg-type]
    octets = authority.answer(query.to_wire(), PEER)
    assert octets is not None
    reply = dns.message.from_wire(octets)
    assert query.is_response(reply)
    return reply


def texts(section: list[object]) -> list[str]:
    return [line for rrset in section for line in str(rrset).splitlines()]


def authoritative(reply: dns.message.Message) -> bool:
    return bool(reply.flags & dns.flags.AA)


def test_an_answer() -> None:
    reply = ask("target.MOVIE.test")
    assert texts(reply.answer) == ["target.MOVIE.test. 300 IN A 192.0.2.3"]
    assert authoritative(reply) and not reply.flags & dns.flags.RA
    assert not reply.authority and not reply.additional


def test_a_name_that_does_not_exist() -> None:
    reply = ask("nope.movie.test")
    assert reply.rcode() == dns.rcode.NXDOMAIN and authoritative(reply)
    assert texts(reply.authority)[0].startswith("movie.test. 30 IN SOA")


@pytest.mark.parametrize(
    ("name", "rdtype"),
    [("target.movie.test", "AAAA"), ("deep.movie.test", "A"), ("b.deep.movie.test", "TXT")],
)
def test_a_name_without_this_type_and_names_that_only_have_children(name: str, rdtype: str) -> None:
    reply = ask(name, rdtype)
    assert reply.rcode() == dns.rcode.NOERROR and authoritative(reply)
    assert not reply.answer
    assert texts(reply.authority)[0].startswith("movie.test. 30 IN SOA")


def test_a_delegation_with_glue() -> None:
    for name in ("child.movie.test", "a.b.child.movie.test", "ns.child.movie.test"):
        reply = ask(name)
        assert not authoritative(reply) and not reply.answer and reply.rcode() == dns.rcode.NOERROR
        assert texts(reply.authority) == ["child.movie.test. 300 IN NS ns.child.movie.test."]
        assert texts(reply.additional) == ["ns.child.movie.test. 300 IN A 192.0.2.6"]


def test_a_delegation_to_a_name_server_elsewhere_has_no_glue() -> None:
    reply = ask("www.far.test")
    assert texts(reply.authority) == ["far.test. 3600 IN NS ns.elsewhere."]
    assert not reply.additional


def test_the_nearest_zone_answers_where_parent_and_child_are_served_here() -> None:
    assert authoritative(ask("target.movie.test"))
    assert not authoritative(ask("target.movie.test", authority=ONLY_PARENT))


def test_ds_belongs_to_the_parent() -> None:
    for authority in (BOTH, ONLY_PARENT):
        reply = ask("movie.test", "DS", authority)
        assert authoritative(reply) and not reply.answer
        assert texts(reply.authority)[0].startswith("test. 30 IN SOA")


def test_an_alias_is_followed_in_our_own_zones() -> None:
    reply = ask("www.movie.test")
    assert texts(reply.answer) == [
        "www.movie.test. 300 IN CNAME target.movie.test.",
        "target.movie.test. 300 IN A 192.0.2.3",
    ]
    assert len(ask("www.movie.test", "CNAME").answer) == 1


def test_an_alias_that_leaves_our_zones_is_the_answer() -> None:
    reply = ask("out.movie.test")
    assert texts(reply.answer) == ["out.movie.test. 300 IN CNAME www.cdn.example."]
    assert authoritative(reply) and reply.rcode() == dns.rcode.NOERROR and not reply.authority


def test_an_alias_to_nothing_is_a_denial_of_its_target() -> None:
    reply = ask("gone.movie.test")
    assert reply.rcode() == dns.rcode.NXDOMAIN
    assert len(reply.answer) == 1 and len(reply.authority) == 1


def test_an_alias_into_a_delegation_stops_there() -> None:
    reply = ask("below.movie.test")
    assert texts(reply.answer) == ["below.movie.test. 300 IN CNAME x.child.movie.test."]
    assert not reply.authority and authoritative(reply)


def test_aliases_in_a_circle_end() -> None:
    assert ask("loop.movie.test").rcode() == dns.rcode.NOERROR


def test_a_wildcard_stands_in_for_what_does_not_exist() -> None:
    reply = ask("x.y.wild.movie.test")
    assert texts(reply.answer) == ["x.y.wild.movie.test. 300 IN A 192.0.2.5"]
    assert not ask("x.wild.movie.test", "AAAA").answer
    assert ask("x.wild.movie.test", "AAAA").rcode() == dns.rcode.NOERROR
    assert texts(ask("y.alias.movie.test").answer) == [
        "y.alias.movie.test. 300 IN CNAME target.movie.test.",
        "target.movie.test. 300 IN A 192.0.2.3",
    ]


def test_a_wildcard_does_not_reach_names_that_exist_or_what_is_below_them() -> None:
    assert not ask("here.wild.movie.test").answer
    assert ask("here.wild.movie.test").rcode() == dns.rcode.NOERROR
    assert ask("x.here.wild.movie.test").rcode() == dns.rcode.NXDOMAIN


def test_any_gets_one_rrset() -> None:
    reply = ask("movie.test", "ANY")
    assert len(reply.answer) == 1 and reply.rcode() == dns.rcode.NOERROR
    assert texts(ask("www.movie.test", "ANY").answer) == ["www.movie.test. 300 IN CNAME target.movie.test."]
    assert ask("deep.movie.test", "ANY").authority


@pytest.mark.parametrize(
    ("name", "rdtype", "wanted"),
    [
        ("www.example", "A", {}),
        (".", "NS", {}),
        ("movie.test", "AXFR", {}),
        ("movie.test", "IXFR", {}),
        ("version.bind", "TXT", {"rdclass": "CH"}),
        ("target.movie.test", "A", {"rdclass": "CH"}),
    ],
)
def test_what_is_not_ours_to_answer_is_refused(name: str, rdtype: str, wanted: dict[str, object]) -> None:
    query = dns.message.make_query(name, rdtype, **wanted)  # type: ignore[arg-type]
    octets = BOTH.answer(query.to_wire(), PEER)
    assert octets is not None
    assert octets[3] & 15 == dns.rcode.REFUSED
    assert int.from_bytes(octets[6:8], "big") == 0


def test_a_static_answer_holds_for_every_client() -> None:
    reply = ask("target.movie.test", use_edns=0, options=[dns.edns.ECSOption("203.0.113.0", 24)])
    assert reply.options == (dns.edns.ECSOption("203.0.113.0", 24, 0),)


def test_other_opcodes_and_malformed_queries() -> None:
    query = dns.message.make_query("movie.test", "SOA")
    query.set_opcode(dns.opcode.UPDATE)
    octets = BOTH.answer(query.to_wire(), PEER)
    assert octets is not None and dns.message.from_wire(octets).rcode() == dns.rcode.NOTIMP
    cut = BOTH.answer(dns.message.make_query("movie.test", "A").to_wire()[:-1], PEER)
    assert cut is not None and dns.message.from_wire(cut).rcode() == dns.rcode.FORMERR
    assert BOTH.answer(b"too short", PEER) is None
    assert BOTH.answer(octets, PEER) is None  # a reply


def test_a_large_answer_is_truncated_over_udp_and_whole_over_tcp() -> None:
    lines = "".join(f"@ 60 IN A 192.0.2.{number}\n" for number in range(100))
    text = f"@ 60 IN SOA ns h 1 2 3 4 5\n@ 60 IN NS ns.elsewhere.\n{lines}"
    authority = Authority([compile_zone("big.test", text)])
    query = dns.message.make_query("big.test", "A").to_wire()
    datagram, stream = authority.answer(query, PEER), authority.answer(query, PEER, True)
    assert datagram and stream
    assert len(datagram) <= 512 and dns.message.from_wire(datagram).flags & dns.flags.TC
    assert len(dns.message.from_wire(stream).answer[0]) == 100
