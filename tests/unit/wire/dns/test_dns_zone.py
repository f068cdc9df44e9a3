"""Compiling a zone: RRsets, delegations with glue, names that only have children, the denial's TTL."""

from __future__ import annotations

import pytest

from nearcast.wire.dns.codes import Type
from nearcast.wire.dns.names import wire_name
from nearcast.wire.dns.zone import ZoneFault, compile_zone

ZONE = """
@        3600 IN SOA ns hostmaster 1 3600 600 604800 30
@        3600 IN NS  ns
ns       3600 IN A   192.0.2.1
WWW      300  IN A   192.0.2.2
         300  IN A   192.0.2.3
a.b.c    60   IN TXT "deep"
child    60   IN NS  ns.child
         60   IN NS  ns.elsewhere.test.
ns.child 60   IN A   192.0.2.9
         60   IN AAAA 2001:db8::9
"""


def test_every_name_that_exists_is_a_node() -> None:
    zone = compile_zone("Movie.test", ZONE)
    assert zone.origin == wire_name("movie.test")
    assert set(zone.nodes[wire_name("www.movie.test")]) == {Type.A}
    assert zone.nodes[wire_name("b.c.movie.test")] == {}
    assert zone.nodes[wire_name("c.movie.test")] == {}
    assert wire_name("d.movie.test") not in zone.nodes


def test_wire_forms_are_made_beforehand() -> None:
    rrset = compile_zone("movie.test", ZONE).nodes[wire_name("www.movie.test")][Type.A]
    record = b"\0\1\0\1\0\0\1\x2c\0\4\xc0\0\2"
    assert rrset.at_question == (2, b"\xc0\x0c" + record + b"\2" + b"\xc0\x0c" + record + b"\3")
    owner = wire_name("www.movie.test")
    assert rrset.in_full == (2, owner + record + b"\2" + owner + record + b"\3")


def test_a_delegation_knows_its_glue() -> None:
    zone = compile_zone("movie.test", ZONE)
    assert list(zone.cuts) == [wire_name("child.movie.test")]
    cut = zone.cuts[wire_name("child.movie.test")]
    assert cut.ns.in_full[0] == 2
    assert [glue.rdtype for glue in cut.glue] == [Type.A, Type.AAAA]


def test_a_denial_holds_no_longer_than_the_soa_says() -> None:
    zone = compile_zone("movie.test", ZONE)
    assert zone.denial.ttl == 30
    assert zone.nodes[zone.origin][Type.SOA].ttl == 3600


@pytest.mark.parametrize("text", ["", "@ 60 IN A 192.0.2.1", "@ 60 IN NONSENSE x", "www 60 IN A 1.2.3"])
def test_a_zone_that_cannot_be_served_says_which_and_why(text: str) -> None:
    with pytest.raises(ZoneFault, match=r"zone movie\.test: .+"):
        compile_zone("movie.test", text)
