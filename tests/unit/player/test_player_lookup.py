"""Look-ups: what the resolver is asked, and what is made of its answer."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import dns.message
import dns.rdatatype
import dns.rrset
import pytest

from nearcast.player.lookup import Lookup, Names, read_answer
from nearcast.serve.loop import run


def reply_with(*rrsets: dns.rrset.RRset) -> dns.message.Message:
    reply = dns.message.make_response(dns.message.make_query("www.movie.test", "A"))
    reply.answer = list(rrsets)
    return reply


def alias(name: str, target: str, ttl: int = 300) -> dns.rrset.RRset:
    return dns.rrset.from_text(name, ttl, "IN", "CNAME", target)


A = dns.rdatatype.A


def test_the_chain_is_followed_and_the_least_ttl_counts() -> None:
    reply = reply_with(
        dns.rrset.from_text("s7.cdn.test.", 30, "IN", "A", "192.0.2.2", "192.0.2.1"),
        alias("movie.cdn.test.", "s7.cdn.test.", 20),
        alias("WWW.movie.test.", "Movie.cdn.test."),
    )
    assert read_answer(reply, "www.movie.test", A) == (
        ("movie.cdn.test", "s7.cdn.test"),
        ("192.0.2.2", "192.0.2.1"),
        20,
    )


def test_addresses_of_other_names_are_none_of_ours() -> None:
    reply = reply_with(dns.rrset.from_text("evil.test.", 30, "IN", "A", "192.0.2.66"))
    assert read_answer(reply, "www.movie.test", A) == ((), (), None)


def test_a_chain_in_a_circle_ends() -> None:
    reply = reply_with(alias("www.movie.test.", "a.test."), alias("a.test.", "www.movie.test."))
    chain, addresses, _ = read_answer(reply, "www.movie.test", A)
    assert len(chain) == 16
    assert addresses == ()


def looked_up(names_of: Any, *asked: str) -> list[Lookup]:
    async def play() -> list[Lookup]:
        names = names_of()
        return [await names.look_up(name) for name in asked]

    return run(play())


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_an_address_is_its_own_answer_and_nobody_is_asked(address: str) -> None:
    heard: list[Lookup] = []
    (lookup,) = looked_up(lambda: Names(None, None, None, heard.append, lambda: 0.0), address)
    assert lookup.addresses == (address,)
    assert heard == []


def test_without_a_resolver_the_system_is_asked_once() -> None:
    heard: list[Lookup] = []
    first, second = looked_up(
        lambda: Names(None, None, None, heard.append, lambda: 0.0), "localhost", "localhost"
    )
    assert first.addresses[0] in ("127.0.0.1", "::1")
    assert first is second
    assert heard == [first]


def test_a_name_that_the_system_does_not_know_is_a_result() -> None:
    async def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def play() -> Lookup:
        asyncio.get_running_loop().getaddrinfo = unknown  # type: ignore[method-assign, assignment]
        return await Names(None, None, None, lambda lookup: None, lambda: 0.0).look_up("nowhere.invalid")

    assert asyncio.run(play()).rcode == "NXDOMAIN"


def test_the_resolver_is_told_the_subnet_and_its_answer_is_kept(town: Any) -> None:
    viewing = town.watch()
    assert viewing.complete
    assert town.questions == [("www.movie.test", "A", "198.51.100.0/24")]
    (lookup,) = viewing.lookups
    assert lookup.chain == ("movie.cdn.test",)
    assert lookup.addresses == ("203.0.113.1", "203.0.113.2")
    assert (lookup.ttl_seconds, lookup.rcode, lookup.resolver) == (30, "NOERROR", "192.0.2.53:53")
    assert lookup.ms > 0


def test_ipv6_is_asked_for_when_there_is_no_ipv4(empty_town: Any) -> None:
    empty_town.name("www.movie.test", addresses=["2001:db8::1"])
    empty_town.server("six", "2001:db8::1")
    viewing = empty_town.watch()
    assert viewing.complete
    assert [rdtype for _, rdtype, _ in empty_town.questions] == ["A", "AAAA"]


def test_an_answer_is_asked_for_anew_when_its_time_is_over(town: Any) -> None:
    town.name("www.movie.test", addresses=["203.0.113.1"], ttl=3)
    viewing = town.watch(realtime=True, buffer_seconds=4)
    assert viewing.complete
    assert len(viewing.lookups) == 3  # 12 s of film, of which the last 4 are fetched ahead


def test_answers_without_ttl_are_asked_for_each_time(town: Any) -> None:
    town.name("www.movie.test", addresses=["203.0.113.1"], ttl=0)
    assert len(town.watch().lookups) > 10
