"""Recursion over an internet of answering cores, without sockets: who is asked what, and how it ends."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network
from random import Random
from typing import Any

import dns.edns
import dns.message
import pytest

from nearcast.model.faults import UpstreamFault
from nearcast.resolver import recursion
from nearcast.resolver.recursion import QUERIES_MAX, Failed, Recursion, Resolved, Work
from nearcast.router.authority import Authority, Choice
from nearcast.wire.addresses import IpNetwork
from nearcast.wire.dns.codes import Rcode, Type
from nearcast.wire.dns.message import ClientSubnet
from nearcast.wire.dns.names import wire_name
from nearcast.wire.dns.rrset import compile_rrset
from nearcast.wire.dns.zone import compile_zone

IOWA, FRANKFURT = ip_network("203.0.113.0/24"), ip_network("198.51.100.0/24")
HEAD = "@ 3600 IN SOA ns h 1 2 3 4 30\n@ 3600 IN NS ns\n"
ZONES = {
    "10.0.0.1": [(".", HEAD + "ns A 10.0.0.1\ntest NS ns.test\nns.test A 10.0.0.2\nexample NS ns.example\n"
                  "ns.example A 10.0.0.9\nmute NS ns.mute\nns.mute A 10.0.0.77\n")],
    "10.0.0.2": [("test", HEAD + "ns A 10.0.0.2\nmovie NS ns.movie\nns.movie A 10.0.0.3\n"
                  "cdn NS ns.cdn\nns.cdn A 10.0.0.4\n"
                  "far NS ns.host.example.\n"
                  "lame NS ns1.lame\nlame NS ns2.lame\nns1.lame A 10.0.0.5\nns2.lame A 10.0.0.3\n"
                  "dead NS ns.dead\nns.dead A 10.0.0.77\n"
                  "egg NS ns.hen.test.\nhen NS ns.egg.test.\n")],
    "10.0.0.3": [("movie.test", HEAD + "ns A 10.0.0.3\n@ A 10.0.0.3\nwww 300 CNAME movie.cdn.test.\n"
                  "loop CNAME pool\npool CNAME loop\noff CNAME www.dead.test.\nzero 0 A 10.1.1.1\n"
                  "local CNAME @\n"),
                 ("lame.test", HEAD + "ns A 10.0.0.3\nwww A 10.2.2.2\n")],
    "10.0.0.4": [("cdn.test", HEAD + "ns A 10.0.0.4\n")],
    "10.0.0.5": [],
    "10.0.0.6": [("far.test", HEAD + "ns A 10.0.0.6\nwww A 10.3.3.3\n")],
    "10.0.0.9": [("example", HEAD + "ns A 10.0.0.9\nns.host A 10.0.0.6\n")],
}  # fmt: skip


class ByClient:
    """movie.cdn.test: one address per client /24, another for resolvers that name nobody."""

    def choose(self, name: bytes, client: str, subnet: ClientSubnet | None) -> Choice | None:
        if name != wire_name("movie.cdn.test"):
            return None
        third = subnet.address[2] if subnet is not None and subnet.source >= 24 else 0
        rrset = compile_rrset(name, Type.A, 30, [bytes([10, 9, third, 1])])
        return Choice({Type.A: rrset}, 24 if third else 0, "")


class Internet:
    """Stands in for the DNS client: hands questions to the answering cores. Time is `now`."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[tuple[str, str, IpNetwork | None]] = []
        self.down = {"10.0.0.77"}
        self.servers = {
            address: Authority([compile_zone(*zone) for zone in zones], ByClient())
            for address, zones in _with_ttls().items()
        }
        self.recursion = Recursion(
            ["10.0.0.1"],
            53,
            self,  # type: ignore[arg-type]
            now=lambda: self.now,
            clock=lambda: self.now,
            rng=Random(2),
        )

    async def ask(
        self, server: tuple[str, int], name: Any, rdtype: int, *, client_subnet: IpNetwork | None, **_: Any
    ) -> dns.message.Message:
        address = server[0]
        self.asked.append((address, f"{name.to_text(True)} {rdtype}", client_subnet))
        if address in self.down:
            raise UpstreamFault(address, "did not answer")
        options = []
        if client_subnet is not None:
            options.append(dns.edns.ECSOption(str(client_subnet.network_address), client_subnet.prefixlen))
        query = dns.message.make_query(name, rdtype, use_edns=0, options=options)
        octets = self.servers[address].answer(query.to_wire(), ("10.0.0.53", 1), True)
        assert octets is not None
        return dns.message.from_wire(octets)

    def resolve(
        self, name: str, rdtype: int = Type.A, subnet: IpNetwork | None = None, work: Work | None = None
    ) -> Resolved:
        self.asked.clear()
        wanted = self.recursion.resolve(wire_name(name), rdtype, subnet, work or Work())
        return asyncio.run(wanted)

    @property
    def who(self) -> list[str]:
        return [address for address, _, _ in self.asked]


def _with_ttls() -> dict[str, list[tuple[str, str]]]:
    return {
        address: [(origin, "$TTL 3600\n" + text) for origin, text in zones]
        for address, zones in ZONES.items()
    }


def texts(outcome: Resolved) -> list[str]:
    return [kept.text for kept in outcome.kept]


def test_from_the_root_down_and_across_the_handover() -> None:
    internet, work = Internet(), Work()
    outcome = internet.resolve("www.movie.test", subnet=IOWA, work=work)
    assert texts(outcome) == ["CNAME movie.cdn.test", "A 10.9.113.1"]
    assert internet.who == ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.2", "10.0.0.4"]
    assert [step.zone for step in work.steps] == [".", "test", "movie.test", "test", "cdn.test"]
    assert work.steps[1].answer == "ask movie.test: ns.movie.test"
    assert outcome.scope == 24


def test_the_root_is_not_told_who_asks() -> None:
    internet = Internet()
    internet.resolve("www.movie.test", subnet=IOWA)
    assert [subnet for _, _, subnet in internet.asked] == [None, IOWA, IOWA, IOWA, IOWA]


def test_what_is_known_is_not_asked_again_until_its_time_is_over() -> None:
    internet = Internet()
    internet.resolve("www.movie.test", subnet=IOWA)
    assert internet.resolve("www.movie.test", subnet=IOWA).scope == 24
    assert internet.who == []
    internet.now = 31.0  # the addresses are over, the alias and the delegations are not
    internet.resolve("www.movie.test", subnet=IOWA)
    assert internet.who == ["10.0.0.4"]
    internet.now = 400.0
    internet.resolve("www.movie.test", subnet=IOWA)
    assert internet.who == ["10.0.0.3", "10.0.0.4"]
    internet.now = 4000.0
    internet.resolve("www.movie.test", subnet=IOWA)
    assert internet.who[0] == "10.0.0.1"


def test_each_client_network_gets_its_own_answer() -> None:
    internet = Internet()
    assert texts(internet.resolve("www.movie.test", subnet=IOWA))[-1] == "A 10.9.113.1"
    assert texts(internet.resolve("www.movie.test", subnet=FRANKFURT))[-1] == "A 10.9.100.1"
    assert internet.who == ["10.0.0.4"]  # the alias holds for everyone
    assert texts(internet.resolve("www.movie.test"))[-1] == "A 10.9.0.1"
    assert texts(internet.resolve("www.movie.test", subnet=IOWA))[-1] == "A 10.9.113.1"
    assert internet.who == []


def test_denials_are_remembered() -> None:
    internet = Internet()
    for name, rdtype, rcode in (
        ("nope.movie.test", Type.A, Rcode.NXDOMAIN),
        ("movie.test", Type.AAAA, Rcode.NOERROR),
        ("nowhere", Type.A, Rcode.NXDOMAIN),
    ):
        for asked in (True, False):
            outcome = internet.resolve(name, rdtype)
            assert outcome.rcode == rcode and outcome.kept[-1].records is None
            assert outcome.kept[-1].soa is not None
            assert bool(internet.who) == asked
    internet.resolve("nope.movie.test", Type.AAAA)
    assert internet.who == []
    internet.now = 31.0
    internet.resolve("nope.movie.test", Type.AAAA)
    assert internet.who == ["10.0.0.3"]


def test_a_ttl_of_zero_is_used_once() -> None:
    internet = Internet()
    for _ in range(2):
        assert texts(internet.resolve("zero.movie.test")) == ["A 10.1.1.1"]
        assert internet.who[-1] == "10.0.0.3"


def test_an_alias_within_the_zone_costs_no_second_question() -> None:
    internet = Internet()
    assert texts(internet.resolve("local.movie.test")) == ["CNAME movie.test", "A 10.0.0.3"]
    assert internet.who == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


def test_a_name_server_without_glue_is_looked_up_first() -> None:
    internet = Internet()
    assert texts(internet.resolve("www.far.test")) == ["A 10.3.3.3"]
    assert internet.who[:2] == ["10.0.0.1", "10.0.0.2"] and internet.who[-1] == "10.0.0.6"


def test_a_lame_server_gives_way_to_another_and_is_asked_last_for_a_while() -> None:
    internet = Internet()
    for name in ("a.lame.test", "b.lame.test", "c.lame.test", "d.lame.test"):
        assert internet.resolve(name).rcode == Rcode.NXDOMAIN
    assert texts(internet.resolve("www.lame.test")) == ["A 10.2.2.2"]
    assert internet.who == ["10.0.0.3"]


def test_a_dead_zone_is_a_failure_and_says_why() -> None:
    internet = Internet()
    with pytest.raises(Failed, match=r"no name server of dead\.test helped: did not answer"):
        internet.resolve("www.dead.test")
    with pytest.raises(Failed):
        internet.resolve("off.movie.test")
    with pytest.raises(Failed, match="mute"):
        internet.resolve("mute")


def test_a_server_that_is_back_is_used_again() -> None:
    internet = Internet()
    internet.down.add("10.0.0.3")
    with pytest.raises(Failed):
        internet.resolve("movie.test")
    internet.down.remove("10.0.0.3")
    assert texts(internet.resolve("movie.test")) == ["A 10.0.0.3"]


@pytest.mark.parametrize("name", ["loop.movie.test", "www.egg.test"])
def test_circles_end(name: str) -> None:
    internet = Internet()
    with pytest.raises(Failed):
        internet.resolve(name)
    assert len(internet.asked) <= QUERIES_MAX


def test_known_tells_only_whole_answers() -> None:
    internet = Internet()
    name = wire_name("www.movie.test")
    internet.resolve("www.movie.test", subnet=IOWA)
    work = Work()
    outcome = internet.recursion.known(name, Type.A, IOWA, work)
    assert outcome is not None and [step.question for step in work.steps] == [
        "www.movie.test A",
        "movie.cdn.test A",
    ]
    assert internet.recursion.known(name, Type.A, FRANKFURT, work) is None
    assert len(work.steps) == 2


def test_ds_is_asked_of_the_parent() -> None:
    internet = Internet()
    internet.resolve("movie.test")
    outcome = internet.resolve("movie.test", Type.DS)
    assert outcome.rcode == Rcode.NOERROR and internet.who == ["10.0.0.2"]


def test_servers_that_failed_are_remembered_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recursion, "AVOIDED_MAX", 3)
    monkeypatch.setattr(recursion, "ZONES_KEPT_MAX", 2)
    internet = Internet()
    internet.down |= {"10.0.0.2", "10.0.0.3", "10.0.0.9"}
    for name in ("dead.test", "mute", "www.movie.test", "www.far.test", "nope.example"):
        with pytest.raises(Failed):
            internet.resolve(name)
    assert len(internet.recursion._avoid) <= 3
    internet.down.clear()
    for name in ("www.movie.test", "www.far.test", "www.lame.test"):
        internet.resolve(name)
    assert len(internet.recursion._zones) <= 2
