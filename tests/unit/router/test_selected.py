"""Selected names: who asks decides which addresses come back, and for whom that holds."""

from __future__ import annotations

from ipaddress import ip_network

import dns.edns
import dns.message
import dns.rcode
import pytest
from tests.zones import first_router

from nearcast.model.config import Config
from nearcast.model.read import read_config
from nearcast.router.authority import Authority
from nearcast.router.decisions import decided_json
from nearcast.router.selected import DECISIONS_KEPT, SelectedNames, decision_ring, selected_names
from nearcast.router.zones import cdn_zone
from nearcast.selection.conditions import Condition, Conditions
from nearcast.selection.decide import Selector
from nearcast.wire.dns.codes import Type
from nearcast.wire.dns.message import ClientSubnet
from nearcast.wire.dns.names import wire_name


@pytest.fixture(scope="module")
def config(request: pytest.FixtureRequest) -> Config:
    return read_config(request.config.rootpath / "examples" / "demo.toml")


class Scene:
    """A router's answering core under given conditions."""

    def __init__(self, config: Config, **servers: Condition) -> None:
        snapshot = first_router(config)
        self.ring = decision_ring()
        self.selector = Selector(snapshot, Conditions(7, servers))
        names = selected_names(snapshot)
        self.selected = SelectedNames(self.selector, names, self.ring, lambda: 1234.5)
        self.zones = [cdn_zone(snapshot)]
        self.authority = Authority(self.zones, self.selected)

    def change(self, **servers: Condition) -> None:
        """New Conditions, as the router takes them over."""
        number = self.selector.conditions.number + 1
        self.selector = self.selector.with_conditions(Conditions(number, servers))
        self.selected = self.selected.under(self.selector)
        self.authority = Authority(self.zones, self.selected)

    def ask(
        self, name: str, rdtype: str = "A", subnet: str = "", peer: str = "8.8.8.8"
    ) -> dns.message.Message:
        network = ip_network(subnet) if subnet else None
        ecs = network and dns.edns.ECSOption(str(network.network_address), network.prefixlen)
        query = dns.message.make_query(name, rdtype, use_edns=0, options=[ecs] if ecs else [])
        octets = self.authority.answer(query.to_wire(), (peer, 53))
        assert octets is not None
        return dns.message.from_wire(octets)

    def pops(self, name: str, subnet: str = "", peer: str = "8.8.8.8") -> set[str]:
        self.ask(name, "A", subnet, peer)
        return {server.pop for server in self.ring[-1].decision.servers}


def addresses(reply: dns.message.Message) -> list[str]:
    return [rdata.address for rrset in reply.answer for rdata in rrset]


def scope(reply: dns.message.Message) -> int:
    (option,) = reply.options
    assert isinstance(option, dns.edns.ECSOption)
    return option.scopelen


def test_the_client_subnet_decides(config: Config) -> None:
    scene = Scene(config)
    iowa = scene.ask("movie.cdn.test", subnet="203.0.113.0/24")
    frankfurt = scene.ask("movie.cdn.test", subnet="198.51.100.0/24")
    assert {address[:9] for address in addresses(iowa)} == {"127.0.51."}
    assert {address[:9] for address in addresses(frankfurt)} == {"127.0.53."}
    assert scope(iowa) == scope(frankfurt) == 24
    assert iowa.answer[0].ttl == config.cdn.answer_ttl_seconds
    assert scene.pops("movie.cdn.test", "2001:db8:1a:2::/64") == {"ia"}


def test_without_a_subnet_the_resolvers_address_decides_for_all_behind_it(config: Config) -> None:
    scene = Scene(config)
    assert scene.pops("movie.cdn.test", peer="203.0.113.53") == {"ia"}
    assert scene.pops("movie.cdn.test", peer="198.51.100.53") == {"fra"}


def test_a_client_that_does_not_want_to_be_located_is_not(config: Config) -> None:
    scene = Scene(config)
    reply = scene.ask("movie.cdn.test", subnet="0.0.0.0/0", peer="203.0.113.53")
    assert scene.ring[-1].decision.zone.startswith("ia:")
    assert scope(reply) == 0


def test_a_client_off_the_map_gets_a_scope_that_leaves_the_map_out(config: Config) -> None:
    reply = Scene(config).ask("movie.cdn.test", subnet="8.8.8.0/24")
    assert 0 < scope(reply) <= 24
    assert addresses(reply)


def test_shards_spread_over_the_servers_of_one_pop(config: Config) -> None:
    scene = Scene(config)
    first = {
        addresses(scene.ask(f"s{number:02d}.movie.cdn.test", subnet="203.0.113.0/24"))[0]
        for number in range(32)
    }
    assert first == {"127.0.51.1", "127.0.51.2"}
    assert scene.ring[-1].decision.shard == "s31"


@pytest.mark.parametrize("name", ["s32.movie.cdn.test", "x.movie.cdn.test", "s00.s00.movie.cdn.test"])
def test_names_that_are_no_shards_do_not_exist(config: Config, name: str) -> None:
    assert Scene(config).ask(name).rcode() == dns.rcode.NXDOMAIN


def test_other_types_are_nodata(config: Config) -> None:
    for rdtype in ("AAAA", "TXT", "NS"):
        reply = Scene(config).ask("movie.cdn.test", rdtype, "203.0.113.0/24")
        assert reply.rcode() == dns.rcode.NOERROR and not reply.answer
        assert str(reply.authority[0]).startswith("cdn.test. 30 IN SOA")


def test_ipv6_servers_are_named_by_aaaa(config: Config) -> None:
    servers = tuple(
        server.model_copy(update={"addresses": (ip_network("2001:db8::51").network_address,)})
        if server.name == "ia1"
        else server
        for server in config.content_servers
    )
    scene = Scene(config.model_copy(update={"content_servers": servers}))
    assert addresses(scene.ask("movie.cdn.test", "A", "203.0.113.0/24")) == ["127.0.51.2"]
    assert addresses(scene.ask("movie.cdn.test", "AAAA", "203.0.113.0/24")) == ["2001:db8::51"]


def test_the_servers_own_names_stand_in_the_zone(config: Config) -> None:
    assert addresses(Scene(config).ask("ia2.cdn.test")) == ["127.0.51.2"]


def test_an_unhealthy_server_is_not_named(config: Config) -> None:
    scene = Scene(config, ia2=Condition(healthy=False))
    assert "127.0.51.2" not in addresses(scene.ask("movie.cdn.test", subnet="203.0.113.0/24"))


def test_nothing_healthy_is_a_failure_not_a_denial(config: Config) -> None:
    down = {server.name: Condition(healthy=False) for server in config.content_servers}
    reply = Scene(config, **down).ask("movie.cdn.test", subnet="203.0.113.0/24")
    assert reply.rcode() == dns.rcode.SERVFAIL and not reply.answer and not reply.authority
    assert any(
        isinstance(option, dns.edns.EDEOption) and "no content server is healthy" in (option.text or "")
        for option in reply.options
    )


def test_a_handover_inside_the_cdns_own_zones_ends_at_the_servers(config: Config) -> None:
    hosts = config.distributions[0].model_copy(update={"hosts": ("watch.cdn.test",)})
    reply = Scene(config.model_copy(update={"distributions": (hosts,)})).ask(
        "watch.cdn.test", subnet="203.0.113.0/24"
    )
    assert [str(rrset.name) for rrset in reply.answer] == ["watch.cdn.test.", "movie.cdn.test."]
    assert scope(reply) == 24


def test_decisions_are_kept_for_the_status_page_and_only_the_last(config: Config) -> None:
    scene = Scene(config)
    scene.ask("S01.Movie.cdn.test", subnet="203.0.113.0/24")
    entry = decided_json(scene.ring[-1])
    assert entry["at"] == 1234.5
    assert entry["question"] == "s01.movie.cdn.test"
    assert entry["client"] == "203.0.113.0/24"
    assert entry["servers"][0].keys() == {"name", "host", "address", "pop"}
    assert [each["chosen"] for each in entry["candidates"]] == [True, False, False]
    assert (entry["snapshot"], entry["conditions"], entry["ttl_seconds"]) == (1, 7, 30)
    for _ in range(DECISIONS_KEPT + 5):
        scene.ask("movie.cdn.test", peer="203.0.113.53")
    assert len(scene.ring) == DECISIONS_KEPT
    assert decided_json(scene.ring[0])["client"] == "203.0.113.53"


def test_new_conditions_change_the_answers_that_they_concern_and_no_other(config: Config) -> None:
    scene = Scene(config)

    def rrsets(subnet: str) -> object:
        client = ClientSubnet(1, 24, ip_network(subnet).network_address.packed[:3])
        choice = scene.selected.choose(wire_name("movie.cdn.test"), "127.0.0.1", client)
        assert choice is not None
        return choice.rrsets[Type.A]

    iowa, frankfurt = rrsets("203.0.113.0/24"), rrsets("198.51.100.0/24")
    scene.change(ia1=Condition(load=0.4))
    assert rrsets("203.0.113.0/24") is iowa, "some load is no reason to compile anew"
    assert scene.ring[-1].decision.conditions == 8
    assert scene.ring[-1].decision.candidates[0].load == pytest.approx(0.2)
    assert scene.ring[0].decision.candidates[0].load == 0, "a decision that is kept stays as it was"
    scene.change(ia1=Condition(healthy=False))
    assert "127.0.51.1" not in addresses(scene.ask("movie.cdn.test", subnet="203.0.113.0/24"))
    assert rrsets("198.51.100.0/24") is frankfurt, "the same servers have the same RRsets"
    scene.change()
    assert rrsets("203.0.113.0/24") is iowa


def test_what_is_remembered_is_bounded(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nearcast.router.selected.REMEMBERED_MAX", 3)
    scene = Scene(config)
    for number in range(20):
        name, subnet = f"s{number:02d}.movie.cdn.test", f"203.0.{number}.0/24"
        assert addresses(scene.ask(name, subnet=subnet)) == addresses(Scene(config).ask(name, subnet=subnet))
        kept = scene.selected._clients, scene.selected._rrsets, scene.selected._answers
        assert max(map(len, kept)) <= 3
