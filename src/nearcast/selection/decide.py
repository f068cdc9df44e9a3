"""The one decision: which content servers answer a client, and why not the others.

The DNS answer and the HTTP redirect come from `Selector.decide`, and `explain` prints the same
`Decision`. Its steps, in order:

1. *candidates*: the client's own ISP's PoP first, then all PoPs by distance (name where there is none);
2. drop servers that are not healthy;
3. *spill*: a PoP whose healthy servers carry more than `spill_load` gives way to the next that does
   not; when all do, the least loaded serves (an overloaded answer beats none);
4. *rendezvous* of the content's key among the PoP's healthy servers: the first keeps the content,
   the next from another failure domain stands by. Where a PoP has just one healthy server (or just
   one failure domain), the next PoP lends the standby.

Nothing healthy anywhere is a result, not a fault: `servers` is empty.

The Snapshot is compiled into a `SelectionTable` (step 1 and the ranks of 4), the Conditions into a
`Standing` (2 and 3), so that a decision only walks an order. `bench/selection.py` shows the cost.
"""

from __future__ import annotations

from typing import NamedTuple

from nearcast.model.snapshot import RouterSnapshot, RoutingZone, Server, Site
from nearcast.selection.conditions import Conditions
from nearcast.selection.decision import ChosenServers, Decision
from nearcast.selection.order import Order
from nearcast.selection.standing import standing_after, standing_under
from nearcast.selection.table import SelectionTable
from nearcast.wire.addresses import IpAddress


class Located(NamedTuple):
    """Where a client is: its routing zone, and the prefix length for which that holds."""

    zone: RoutingZone
    scope: int


class Selector:
    """Decides for one Snapshot under one set of Conditions; replaced whole when either changes."""

    def __init__(self, snapshot: RouterSnapshot, conditions: Conditions) -> None:
        self.snapshot = snapshot
        self.conditions = conditions
        self._table = SelectionTable(snapshot)
        self.standing = standing_under(self._table, conditions)

    def with_conditions(self, conditions: Conditions) -> Selector:
        """The Selector for new Conditions, which shares with this one all that they do not change."""
        selector = Selector.__new__(Selector)
        selector.snapshot, selector.conditions, selector._table = self.snapshot, conditions, self._table
        selector.standing = standing_after(self._table, self.standing, self.conditions, conditions)
        return selector

    def locate(self, client: IpAddress) -> Located:
        """The routing zone of a client address (or of the first address of its subnet)."""
        return self.locate_packed(client.packed)

    def locate_packed(self, client: bytes) -> Located:
        """The same for an address of 4 or 16 octets."""
        zone, scope = self.snapshot.zones.find_packed(client)
        return Located(self.snapshot.anywhere if zone is None else zone, scope)

    def order(self, zone: RoutingZone) -> Order:
        """The order of the PoPs for `zone`; the same object as long as the Snapshot is."""
        return self._table.order(zone)

    def decide(self, zone: RoutingZone, site: Site, shard: str = "") -> Decision:
        """Choose for clients of `zone`; `shard` is the host label that names the content ("s07")."""
        order = self._table.order(zone)
        return self.decision(zone, order, site, shard, self.choose(order, site, shard))

    def decision(
        self, zone: RoutingZone, order: Order, site: Site, shard: str, chosen: ChosenServers
    ) -> Decision:
        """Say of what was `chosen` by `order` for whom and under which Conditions that was."""
        return Decision(site.name, shard, zone, order, chosen, self.standing, self._table.pops)

    def choose(self, order: Order, site: Site, shard: str) -> ChosenServers:
        """The servers alone. They stay the same as long as `standing.available` does."""
        available, table = self.standing.available, self._table
        serving = next(filter(available.eligible.__contains__, order.pops), None)
        if serving is None:
            return ChosenServers((), None)
        key, wanted = f"{site.name}/{shard}", table.pops.answer_addresses_max
        chosen = self._of_pop(key, serving, wanted)
        enough = min(wanted, 2)  # a second address is for safety; a third from afar would only be slow
        if len(chosen) < enough:
            for pop in filter(available.alive.__contains__, order.pops):
                if pop != serving:
                    chosen += self._of_pop(key, pop, wanted - len(chosen))
                    if len(chosen) >= enough:
                        break
        return ChosenServers(tuple(chosen), serving)

    def _of_pop(self, key: str, pop: int, wanted: int) -> list[Server]:
        """At most `wanted` healthy servers of a PoP for `key`, each from a failure domain of its own."""
        down = self.standing.available.down
        chosen: dict[str, Server] = {}
        for server in self._table.ranked(key, pop):
            if server.failure_domain not in chosen and server.name not in down:
                chosen[server.failure_domain] = server
                if len(chosen) == wanted:
                    break
        return list(chosen.values())
