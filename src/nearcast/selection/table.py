"""What selection can know from the Snapshot alone; new Conditions leave it as it is.

Orders and ranks are compiled when they are first needed: a router in Iowa never needs most of them, and
all of them at once would hold up the answers at every new Snapshot.
"""

from __future__ import annotations

from nearcast.model.snapshot import RouterSnapshot, RoutingZone, Server
from nearcast.selection.order import Order, compile_order
from nearcast.selection.pops import pops_of
from nearcast.selection.rendezvous import rank

RANKS_MAX = 65_536  # cleared whole when full


class SelectionTable:
    """The PoPs of one Snapshot, their order for each place, and the rank of their servers for each key."""

    def __init__(self, snapshot: RouterSnapshot) -> None:
        self.pops = pops_of(snapshot)
        self.pop_of = {
            server.name: pop for pop, site in enumerate(self.pops.sites) for server in site.servers
        }
        """The number of every server's PoP."""
        self._numbers = tuple(range(len(self.pops.sites)))
        self._orders: dict[tuple[float | None, float | None, str | None], Order] = {}
        self._ranks: dict[tuple[str, int], tuple[Server, ...]] = {}

    def order(self, zone: RoutingZone) -> Order:
        """The order of the PoPs for clients of `zone`: one and the same for all zones that share it."""
        place = zone.place
        key = (place.latitude, place.longitude, zone.own_pop) if place else (None, None, zone.own_pop)
        order = self._orders.get(key)
        if order is None:  # as many as the Snapshot has places and PoPs
            order = compile_order(len(self._orders), zone, self.pops.sites, self._numbers)
            self._orders[key] = order
        return order

    def ranked(self, key: str, pop: int) -> tuple[Server, ...]:
        """All servers of a PoP in the order in which they are to serve `key`, healthy or not: where one
        fails, the order of the others stays."""
        ranked = self._ranks.get((key, pop))
        if ranked is None:
            by_name = {server.name: server for server in self.pops.sites[pop].servers}
            if len(self._ranks) >= RANKS_MAX:
                self._ranks.clear()
            ranked = self._ranks[key, pop] = tuple([by_name[name] for name in rank(key, by_name)])
        return ranked
