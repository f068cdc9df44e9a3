"""A decision as a value: who answers, and on request what every PoP had for and against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from nearcast.model.snapshot import RoutingZone, Server
from nearcast.selection.order import Order
from nearcast.selection.pops import Pops
from nearcast.selection.standing import Standing


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


class ChosenServers(NamedTuple):
    """The servers, best first, and the number of the PoP that serves (None when nothing is healthy)."""

    servers: tuple[Server, ...]
    pop: int | None


class Decision(NamedTuple):
    """Who answers, best first. All that it was made from is immutable and shared with other decisions,
    so it costs little to keep, and its candidates can be told truly at any later time."""

    site: str
    shard: str
    routing_zone: RoutingZone
    order: Order
    chosen: ChosenServers
    standing: Standing
    pops: Pops

    @property
    def zone(self) -> str:
        return self.routing_zone.name

    @property
    def zone_reason(self) -> str:
        return self.routing_zone.reason

    @property
    def servers(self) -> tuple[Server, ...]:
        return self.chosen.servers

    @property
    def ttl_seconds(self) -> int:
        return self.pops.answer_ttl_seconds

    @property
    def snapshot(self) -> int:
        """The number of the Snapshot."""
        return self.pops.snapshot

    @property
    def conditions(self) -> int:
        """The number of the Conditions."""
        return self.standing.conditions

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Every PoP, as near as it is, with the reason why it was chosen or not. Made anew each time."""
        return tuple([self._candidate(pop) for pop in self.order.pops])

    def _candidate(self, pop: int) -> Candidate:
        site, chosen = self.pops.sites[pop], pop == self.chosen.pop
        km = self.order.distance_km(site)
        healthy, load = self.standing.available.healthy[pop], self.standing.loads[pop]
        if site.name == self.routing_zone.own_pop:
            reason = self.routing_zone.reason
        elif km is not None:
            reason = f"{km:,.0f} km"
        else:
            reason = "distance unknown"
        if healthy == 0:
            reason += "; no healthy server"
        elif load >= self.pops.spill_load:
            reason += "; loaded, but all are" if chosen else "; spills, too loaded"
        return Candidate(
            site.name, site.kind, None if km is None else round(km, 1), load, healthy, chosen, reason
        )
