"""In which order the PoPs are asked to serve the clients of one place: compiled, and then only walked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nearcast.model.config import Place
from nearcast.model.snapshot import PopSite, RoutingZone
from nearcast.selection.geography import distance_km


@dataclass(frozen=True, slots=True)
class Order:
    """The numbers of all PoPs, first choice first, for the routing zones of one place and one own PoP.

    `number` tells the orders of one `SelectionTable` apart.
    """

    number: int = field(compare=False)
    place: Place | None
    own_pop: str | None
    pops: tuple[int, ...]

    def distance_km(self, site: PopSite) -> float | None:
        """How far `site` is from these clients; None when nobody knows where they are."""
        return distance_km(self.place, site.place) if self.place else None


def compile_order(number: int, zone: RoutingZone, sites: Sequence[PopSite], pops: Sequence[int]) -> Order:
    """Sort `pops`, the numbers of `sites`: the own PoP, then by distance, by name where there is none.
    Another ISP's PoP serves strangers only after the exchanges."""
    distances = [distance_km(zone.place, site.place) if zone.place else 0.0 for site in sites]
    sort_keys = [
        (site.name != zone.own_pop, site.kind == "isp", distance, site.name)
        for site, distance in zip(sites, distances, strict=True)
    ]
    return Order(number, zone.place, zone.own_pop, tuple(sorted(pops, key=sort_keys.__getitem__)))
