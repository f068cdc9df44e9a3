"""The compiled Selector decides as one that looks at everything anew, and shares what it may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.selection.maps import SITES, place, server, snapshot_of

from nearcast.model.snapshot import PopSite, RouterSnapshot, RoutingZone, Server, Site
from nearcast.selection.conditions import UNKNOWN, Condition, Conditions
from nearcast.selection.decide import Selector
from nearcast.selection.decision import Candidate, Decision
from nearcast.selection.geography import distance_km
from nearcast.selection.rendezvous import rank

Ordered = list[tuple[PopSite, float | None]]


@dataclass
class Plain:
    """The oracle: nothing compiled, nothing remembered."""

    snapshot: RouterSnapshot
    conditions: Conditions

    def decide(self, zone: RoutingZone, site: Site, shard: str) -> tuple[list[Server], list[Candidate]]:
        order = self._order(zone)
        serving = self._serving_pop(order)
        servers = self._servers(order, serving, f"{site.name}/{shard}")
        return servers, [self._candidate(pop, km, zone, serving) for pop, km in order]

    def _order(self, zone: RoutingZone) -> Ordered:
        pops = self.snapshot.pops.values()
        with_distance = [(pop, distance_km(zone.place, pop.place) if zone.place else None) for pop in pops]
        return sorted(
            with_distance,
            key=lambda each: (
                each[0].name != zone.own_pop,
                each[0].kind == "isp",
                each[1] if each[1] is not None else 0.0,
                each[0].name,
            ),
        )

    def _healthy(self, pop: PopSite) -> list[Server]:
        return [server for server in pop.servers if self.conditions.of(server.name).healthy]

    def _load(self, pop: PopSite) -> float:
        loads = [self.conditions.of(server.name).load for server in self._healthy(pop)]
        return sum(loads) / len(loads) if loads else 1.0

    def _serving_pop(self, order: Ordered) -> PopSite | None:
        alive = [pop for pop, _ in order if self._healthy(pop)]
        below = (pop for pop in alive if self._load(pop) < self.snapshot.spill_load)
        return next(below, None) or min(alive, key=self._load, default=None)

    def _servers(self, order: Ordered, serving: PopSite | None, key: str) -> list[Server]:
        wanted = self.snapshot.answer_addresses_max
        chosen: list[Server] = []
        for pop in [serving, *(pop for pop, _ in order if pop is not serving)] if serving else []:
            by_name = {server.name: server for server in self._healthy(pop)}
            for name in rank(key, by_name):
                domains = {(server.pop, server.failure_domain) for server in chosen}
                if len(chosen) < wanted and (pop.name, by_name[name].failure_domain) not in domains:
                    chosen.append(by_name[name])
            if len(chosen) >= min(wanted, 2):
                break
        return chosen

    def _candidate(
        self, pop: PopSite, km: float | None, zone: RoutingZone, serving: PopSite | None
    ) -> Candidate:
        healthy, load = len(self._healthy(pop)), self._load(pop)
        if pop.name == zone.own_pop:
            reason = zone.reason
        elif km is not None:
            reason = f"{km:,.0f} km"
        else:
            reason = "distance unknown"
        if healthy == 0:
            reason += "; no healthy server"
        elif load >= self.snapshot.spill_load:
            reason += "; spills, too loaded" if pop is not serving else "; loaded, but all are"
        return Candidate(
            pop.name, pop.kind, None if km is None else round(km, 1), load, healthy, pop is serving, reason
        )


PLACES = [
    place(f"at {n}", north, east) for n, (north, east) in enumerate([(50, 8), (41, -91), (50, 8), (-33, 151)])
]


def random_map(rng: Random) -> RouterSnapshot:
    """Up to 7 PoPs, some without servers, twins at one place, racks that several servers share."""
    pops = []
    for number in range(rng.randint(1, 7)):
        name = f"p{number}"
        racks = rng.choices(["", "r1", "r2"], k=rng.choice([0, 1, 1, 2, 3, 4]))
        servers = tuple(server(f"{name}s{n}", name, rack) for n, rack in enumerate(racks))
        pops.append(PopSite(name, rng.choice(["isp", "ixp", "cloud"]), rng.choice(PLACES), servers))
    rng.shuffle(pops)
    spill_load = rng.choice([0.5, 0.8, 1.0])
    return snapshot_of(pops, spill_load=spill_load, answer_addresses_max=rng.randint(1, 4))


def random_history(rng: Random, snapshot: RouterSnapshot) -> Iterator[Conditions]:
    """Conditions one after the other: a quiet day or a bad one, then most servers keep theirs, and one
    that goes away is unknown again."""
    loads, healthy = rng.choice([[0.0, 0.3, 0.5, 0.8, 1.0], [0.8, 0.85, 0.9]]), rng.choice([0.2, 0.6, 1.0])

    def condition() -> Condition:
        return Condition(rng.random() < healthy, rng.choice(loads), "probed")

    names = [*snapshot.servers, "a server of another map"]
    servers = {name: condition() for name in names if rng.random() < 0.95}
    for number in range(6):
        yield (conditions := Conditions(number, dict(servers)))
        if rng.random() < 0.5:
            conditions = conditions.with_server(name := rng.choice(names), condition())
            yield conditions
            servers[name] = conditions.of(name)
        for name in rng.sample(names, rng.randint(0, min(2, len(names)))):
            servers[name] = condition()
            if rng.random() < 0.1:
                del servers[name]


def random_zone(rng: Random, snapshot: RouterSnapshot) -> RoutingZone:
    own_pop = rng.choice([None, *snapshot.pops])
    return RoutingZone(rng.choice([None, *PLACES]), own_pop, ip_network("192.0.2.0/24"))


def told(decision: Decision) -> tuple[list[Server], list[Candidate]]:
    return list(decision.servers), list(decision.candidates)


@settings(max_examples=150)
@given(st.integers(0, 2**32))
def test_a_decision_is_the_one_that_looking_at_everything_gives(seed: int) -> None:
    rng = Random(seed)
    snapshot = random_map(rng)
    before: Selector | None = None
    kept: list[tuple[Decision, tuple[list[Server], list[Candidate]]]] = []
    for conditions in random_history(rng, snapshot):
        plain = Plain(snapshot, conditions)
        selector = before.with_conditions(conditions) if before else Selector(snapshot, conditions)
        assert selector.standing == Selector(snapshot, conditions).standing
        if before and before.standing.available is selector.standing.available:
            for decision, _ in kept:
                site, shard = SITES[decision.site], decision.shard
                assert selector.choose(decision.order, site, shard) == before.choose(
                    decision.order, site, shard
                )
        for zone in [random_zone(rng, snapshot) for _ in range(4)]:
            site, shard = rng.choice(list(SITES.values())), rng.choice(["", "s07"])
            decision, right = selector.decide(zone, site, shard), plain.decide(zone, site, shard)
            assert told(decision) == right
            assert (decision.site, decision.shard, decision.zone) == (site.name, shard, zone.name)
            assert decision.zone_reason == zone.reason
            assert (decision.ttl_seconds, decision.snapshot, decision.conditions) == (
                30,
                3,
                conditions.number,
            )
            kept.append((decision, right))
        before = selector
    for decision, right in kept:
        assert told(decision) == right, "what was decided stays true when Conditions have changed since"


def three_pops() -> RouterSnapshot:
    return snapshot_of(
        [
            PopSite(name, "ixp", PLACES[n], (server(f"{name}1", name), server(f"{name}2", name)))
            for n, name in enumerate(["a", "b", "c"])
        ]
    )


def test_a_load_that_changes_no_choice_leaves_the_availability_the_same_object() -> None:
    selector = Selector(three_pops(), Conditions(1, {"a1": Condition(load=0.3), "b1": UNKNOWN}))
    busier = selector.with_conditions(Conditions(2, {"a1": Condition(load=0.31), "b1": UNKNOWN}))
    assert busier.standing.loads != selector.standing.loads
    assert busier.standing.available is selector.standing.available
    full = busier.with_conditions(Conditions(3, dict.fromkeys(["a1", "a2"], Condition(load=0.9))))
    assert full.standing.available.eligible == {1, 2}
    dead = full.with_conditions(Conditions(4, {"a1": Condition(healthy=False), "a2": Condition(load=0.9)}))
    assert dead.standing.available.healthy == (1, 2, 2)
    assert dead.standing.available.eligible is not full.standing.available.eligible


def test_zones_of_one_place_and_pop_share_their_order_and_it_survives_new_conditions() -> None:
    selector = Selector(three_pops(), Conditions())
    here, too = RoutingZone(PLACES[0], None, None), RoutingZone(PLACES[2], None, None)  # same coordinates
    own, nowhere = RoutingZone(PLACES[0], "c", None), RoutingZone(None, None, None)
    order = selector.order(here)
    assert selector.order(too) is order
    assert selector.with_conditions(Conditions(2)).order(here) is order
    assert len({selector.order(zone).number for zone in (here, too, own, nowhere)}) == 3
    assert [order.pops, selector.order(own).pops] == [(0, 2, 1), (2, 0, 1)]


def test_a_client_is_located_by_its_octets_as_by_its_address() -> None:
    zone = RoutingZone(PLACES[0], None, None)
    selector = Selector(snapshot_of([], {(4, 10 << 24, 8): zone}), Conditions())
    assert selector.locate_packed(b"\x0a\0\0\1") == (zone, 8)
    assert selector.locate_packed(b"\x0b\0\0\1") == (selector.snapshot.anywhere, 8)
    assert selector.locate_packed(bytes(16)) == (selector.snapshot.anywhere, 0)
