"""The cache: time, audiences, bounds."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from nearcast.resolver.rrset_cache import (
    ALL_TYPES,
    EVERYONE,
    PER_QUESTION_MAX,
    UNNAMED,
    ClientGroup,
    Kept,
    RRsetCache,
    audience_of,
)
from nearcast.wire.addresses import IpNetwork
from nearcast.wire.dns.codes import Rcode, Type
from nearcast.wire.dns.names import wire_name
from nearcast.wire.dns.rrset import compile_rrset

NAME = wire_name("movie.cdn.test")
IOWA, FRANKFURT = ip_network("203.0.113.0/24"), ip_network("198.51.100.0/24")


def kept(text: str, audience: ClientGroup = EVERYONE, until: float = 100.0, rdtype: int = Type.A) -> Kept:
    return Kept(Rcode.NOERROR, compile_rrset(NAME, rdtype, 60, [b"\x7f\0\0\1"]), None, audience, until, text)


def denial(rcode: Rcode = Rcode.NOERROR) -> Kept:
    return Kept(rcode, None, None, EVERYONE, 100.0, "denied")


def found(
    cache: RRsetCache, subnet: IpNetwork | None = None, now: float = 0.0, rdtype: int = Type.A
) -> str | None:
    hit = cache.find(NAME, rdtype, subnet, now)
    return hit and hit.text


def test_what_has_run_out_is_never_found() -> None:
    cache = RRsetCache()
    cache.keep(NAME, Type.A, kept("a", until=10.0), now=0.0)
    assert found(cache, now=9.9) == "a"
    assert found(cache, now=10.0) is None
    cache.keep(NAME, Type.A, kept("b", until=5.0), now=5.0)
    assert found(cache, now=5.0) == "a"  # what is over already is not remembered


def test_the_ttl_counts_down() -> None:
    assert kept("a", until=30.0).ttl(0.4) == 30
    assert kept("a", until=30.0).ttl(29.0) == 1
    assert kept("a", until=30.0).ttl(31.0) == 0


def test_each_client_network_has_its_own_answer() -> None:
    cache = RRsetCache()
    cache.keep(NAME, Type.A, kept("iowa", IOWA), 0.0)
    cache.keep(NAME, Type.A, kept("frankfurt", FRANKFURT), 0.0)
    assert found(cache, IOWA) == "iowa"
    assert found(cache, ip_network("203.0.113.128/25")) == "iowa"
    assert found(cache, FRANKFURT) == "frankfurt"
    assert found(cache, ip_network("203.0.0.0/16")) is None  # holds for a part of these clients only
    assert found(cache, ip_network("2001:db8::/56")) is None
    assert found(cache) is None


def test_the_longest_prefix_knows_best_then_what_is_for_everyone() -> None:
    cache = RRsetCache()
    cache.keep(NAME, Type.A, kept("all"), 0.0)
    cache.keep(NAME, Type.A, kept("wide", ip_network("203.0.0.0/16")), 0.0)
    cache.keep(NAME, Type.A, kept("near", IOWA, until=50.0), 0.0)
    assert found(cache, IOWA) == "near"
    assert found(cache, IOWA, now=60.0) == "wide"
    assert found(cache, FRANKFURT) == "all"
    assert found(cache) == "all"


def test_an_answer_by_the_resolvers_own_place_is_not_for_clients_that_named_theirs() -> None:
    cache = RRsetCache()
    cache.keep(NAME, Type.A, kept("here", UNNAMED), 0.0)
    assert found(cache) == "here"
    assert found(cache, IOWA) is None


@pytest.mark.parametrize(
    ("subnet", "scope", "audience"),
    [
        (None, None, UNNAMED),
        (None, 24, UNNAMED),
        (IOWA, None, EVERYONE),
        (IOWA, 0, EVERYONE),
        (IOWA, 24, IOWA),
        (IOWA, 16, ip_network("203.0.0.0/16")),
        (IOWA, 32, IOWA),  # trusted no further than the question went
    ],
)
def test_whom_an_answer_holds_for(subnet: IpNetwork | None, scope: int | None, audience: ClientGroup) -> None:
    assert audience_of(subnet, scope) == audience


def test_a_cname_answers_for_every_type_and_its_denial_only_for_itself() -> None:
    cache = RRsetCache()
    cache.keep(NAME, Type.CNAME, kept("alias", rdtype=Type.CNAME), 0.0)
    assert found(cache) == "alias"
    other = RRsetCache()
    other.keep(NAME, Type.CNAME, denial(), 0.0)
    assert found(other) is None
    assert found(other, rdtype=Type.CNAME) == "denied"


def test_a_name_that_does_not_exist_does_not_for_all_types() -> None:
    cache = RRsetCache()
    cache.keep(NAME, ALL_TYPES, denial(Rcode.NXDOMAIN), 0.0)
    assert found(cache) == found(cache, rdtype=Type.AAAA) == "denied"


def test_the_cache_is_bounded_and_the_oldest_gives_way() -> None:
    cache = RRsetCache(kept_max=10)
    for number in range(30):
        cache.keep(wire_name(f"n{number}.test"), Type.A, kept("x"), 0.0)
        for network in (IOWA, FRANKFURT):
            cache.keep(wire_name(f"n{number}.test"), Type.A, kept("x", network), 0.0)
        assert len(cache) <= 12
    assert cache.find(wire_name("n0.test"), Type.A, None, 0.0) is None
    assert cache.find(wire_name("n29.test"), Type.A, None, 0.0) is not None


def test_the_cache_is_bounded_in_bytes() -> None:
    def large(number: int) -> Kept:
        rrset = compile_rrset(wire_name(f"n{number}.test"), 16, 60, [bytes(20_000)])
        return Kept(Rcode.NOERROR, rrset, None, EVERYONE, 100.0, "TXT")

    cache = RRsetCache(bytes_max=1_000_000)
    for number in range(200):
        cache.keep(wire_name(f"n{number}.test"), 16, large(number), 0.0)
        assert cache.bytes <= 1_000_000
    assert 10 < len(cache) < 20
    assert cache.find(wire_name("n199.test"), 16, None, 0.0) is not None
    for _ in range(100):  # the same again costs nothing more
        cache.keep(wire_name("n199.test"), 16, large(199), 0.0)
    assert 10 < len(cache) < 20


def test_an_answer_larger_than_the_cache_is_not_kept() -> None:
    cache = RRsetCache(bytes_max=10)
    cache.keep(NAME, Type.A, kept("a"), 0.0)
    assert len(cache) == cache.bytes == 0


def test_the_clients_of_one_question_are_bounded_and_the_oldest_gives_way() -> None:
    cache = RRsetCache()
    networks = [ip_network((number << 8, 24)) for number in range(2 * PER_QUESTION_MAX)]
    for network in networks:
        cache.keep(NAME, Type.A, kept("x", network), 0.0)
    assert len(cache) == PER_QUESTION_MAX
    assert found(cache, networks[0]) is None and found(cache, networks[-1]) == "x"
