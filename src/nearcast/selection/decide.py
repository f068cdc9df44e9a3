"""The one decision: which content servers answer a client, and why not the others.

The DNS answer, the HTTP redirect and the steering manifest all come from `Selector.decide`, and
`explain` prints the same `Decision`. Its steps, in order:

1. *candidates*: the client's own ISP's PoP first, then all PoPs by distance (name where there is none);
2. drop servers that are not healthy;
3. *spill*: a PoP whose healthy servers carry more than `spill_load` gives way to the next that does
   not; when all do, the least loaded serves (an overloaded answer beats none);
4. *rendezvous* of the content's key among the PoP's healthy servers: the first keeps the content,
   the next from another failure domain stands by. Where a PoP has just one healthy server (or just
   one failure domain), the next PoP lends the standby.

Nothing healthy anywhere is a result, not a fault: `servers` is empty.
"""

from __future__ import annotations

from dataclasses import dataclass

from nearcast.model.snapshot import PopSite, RouterSnapshot, RoutingZone, Server, Site
from nearcast.selection.conditions import Conditions
from nearcast.selection.geography import distance_km
from nearcast.selection.rendezvous import rank
from nearcast.wire.addresses import IpAddress


@dataclass(frozen=True, slots=True)
class Located:
    """Where a client is: its routing zone, and the prefix length for which that holds."""

    zone: RoutingZone
    scope: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A PoP as it stood in the decision. `distance_km` is None when the client's place is unknown."""

    pop: str
    kind: str
    distance_km: float | None
    load: float
    healthy: int
    chosen: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Who answers, best first, and what every candidate had for and against it."""

    site: str
    shard: str
    zone: str
    zone_reason: str
    servers: tuple[Server, ...]
    candidates: tuple[Candidate, ...]
    ttl_seconds: int
    snapshot: int
    conditions: int


class Selector:
    """Decides for one Snapshot under one set of Conditions; replaced whole when either changes."""

    def __init__(self, snapshot: RouterSnapshot, conditions: Conditions) -> None:
        self.snapshot = snapshot
        self.conditions = conditions

    def locate(self, client: IpAddress) -> Located:
        """The routing zone of a client address (or of the first address of its subnet)."""
        match = self.snapshot.zones.find(client)
        if match is None:
            return Located(self.snapshot.anywhere, self.snapshot.zones.scope(client))
        return Located(match.value, match.scope)

    def decide(self, zone: RoutingZone, site: Site, shard: str = "") -> Decision:
        """Choose for clients of `zone`; `shard` is the host label that names the content ("s07")."""
        order = self._order(zone)
        serving = self._serving_pop(order)
        key = f"{site.name}/{shard}"
        servers = self._servers(order, serving, key)
        return Decision(
            site=site.name,
            shard=shard,
            zone=zone.name,
            zone_reason=zone.reason,
            servers=servers,
            candidates=tuple(self._candidate(pop, km, zone, serving) for pop, km in order),
            ttl_seconds=self.snapshot.answer_ttl_seconds,
            snapshot=self.snapshot.number,
            conditions=self.conditions.number,
        )

    def _order(self, zone: RoutingZone) -> list[tuple[PopSite, float | None]]:
        with_distance = [
            (pop, distance_km(zone.place, pop.place) if zone.place else None)
            for pop in self.snapshot.pops.values()
        ]
        return sorted(
            with_distance,
            key=lambda each: (
                each[0].name != zone.own_pop,
                each[0].kind == "isp",  # another ISP's PoP serves strangers only after the exchanges
                each[1] if each[1] is not None else 0.0,
                each[0].name,
            ),
        )

    def _healthy(self, pop: PopSite) -> list[Server]:
        return [server for server in pop.servers if self.conditions.of(server.name).healthy]

    def _load(self, pop: PopSite) -> float:
        """Mean load of the healthy servers of `pop`; 1.0 when there is none."""
        loads = [self.conditions.of(server.name).load for server in self._healthy(pop)]
        return sum(loads) / len(loads) if loads else 1.0

    def _serving_pop(self, order: list[tuple[PopSite, float | None]]) -> PopSite | None:
        alive = [pop for pop, _ in order if self._healthy(pop)]
        spill_load = self.snapshot.spill_load
        below = (pop for pop in alive if self._load(pop) < spill_load)
        return next(below, None) or min(alive, key=self._load, default=None)

    def _servers(
        self, order: list[tuple[PopSite, float | None]], serving: PopSite | None, key: str
    ) -> tuple[Server, ...]:
        if serving is None:
            return ()
        wanted = self.snapshot.answer_addresses_max
        chosen: list[Server] = []
        for pop in [serving, *(pop for pop, _ in order if pop is not serving)]:
            by_name = {server.name: server for server in self._healthy(pop)}
            for name in rank(key, by_name):
                domains = {(server.pop, server.failure_domain) for server in chosen}
                if len(chosen) < wanted and (pop.name, by_name[name].failure_domain) not in domains:
                    chosen.append(by_name[name])
            if len(chosen) >= min(wanted, 2):
                break  # a second address is for safety; a third from afar would only be slow
        return tuple(chosen)

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
