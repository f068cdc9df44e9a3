"""The selected names: their addresses come from `Selector.decide` for the client's routing zone.

A client is where its subnet says (RFC 7871, when the prefix is longer than 0), else where its resolver
is. The answer then holds for `Located.scope` bits of that subnet, or for everyone behind the resolver
(scope 0). Selection is a pure function of Snapshot, Conditions and the order of PoPs for the routing
zone, so a choice is made once per (order, name) and remembered with its RRsets. A `SelectedNames` lives
exactly as long as its `Selector`; `under` hands on what the next one may go on with, so that nothing
needs to be invalidated: where clients are and the RRsets of given servers hold for the Snapshot, the
answers for the `Availability`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import NamedTuple

from nearcast.model.snapshot import RouterSnapshot, Server, Site
from nearcast.router.authority import Choice
from nearcast.selection.decide import Located, Selector
from nearcast.selection.decision import ChosenServers, Decision
from nearcast.selection.order import Order
from nearcast.wire.dns.codes import Type
from nearcast.wire.dns.message import ClientSubnet
from nearcast.wire.dns.names import wire_name
from nearcast.wire.dns.rrset import RRset, compile_rrset

REMEMBERED_MAX = 65_536  # answers, RRsets, and clients located; each cleared whole when full
DECISIONS_KEPT = 256


class Decided(NamedTuple):
    """One decision that was answered with: when (Unix seconds), to which question, for whom."""

    at: float
    question: str | bytes  # text, or a name in wire form
    client: str | ClientSubnet
    decision: Decision


Ring = deque[Decided]
"""The last decisions, oldest first."""


def decision_ring() -> Ring:
    return deque(maxlen=DECISIONS_KEPT)


class SelectedName(NamedTuple):
    site: Site
    shard: str


def selected_names(snapshot: RouterSnapshot) -> Mapping[bytes, SelectedName]:
    """Every selected name of `snapshot`: `movie.cdn.test` and its shards `s00.movie.cdn.test` …"""
    names = {}
    for site in snapshot.sites.values():
        names[wire_name(site.cdn_host)] = SelectedName(site, "")
        for number in range(snapshot.shards):
            shard = f"s{number:02d}"
            names[wire_name(f"{shard}.{site.cdn_host}")] = SelectedName(site, shard)
    return names


RRsets = Mapping[int, RRset]
"""By type."""


class _Whose(NamedTuple):
    """Where a client is and in which order PoPs serve it there."""

    located: Located
    order: Order


class _RememberedAnswer(NamedTuple):
    chosen: ChosenServers
    rrsets: RRsets


class SelectedNames:
    """Chooses for one `Selector`; satisfies `authority.Selected`."""

    def __init__(
        self,
        selector: Selector,
        names: Mapping[bytes, SelectedName],
        ring: Ring,
        clock: Callable[[], float],
    ) -> None:
        self._selector = selector
        self._names = names
        self._ring = ring
        self._clock = clock
        self._clients: dict[str | ClientSubnet, _Whose] = {}
        self._rrsets: dict[tuple[bytes, tuple[str, ...]], RRsets] = {}
        self._answers: dict[tuple[int, bytes], _RememberedAnswer] = {}

    def under(self, selector: Selector) -> SelectedNames:
        """The same names under a Selector made by `with_conditions` from this one's."""
        following = SelectedNames(selector, self._names, self._ring, self._clock)
        following._clients, following._rrsets = self._clients, self._rrsets
        if selector.standing.available is self._selector.standing.available:
            following._answers = self._answers
        return following

    def choose(self, name: bytes, client: str, subnet: ClientSubnet | None) -> Choice | None:
        selected = self._names.get(name)
        if selected is None:
            return None
        whose = subnet if subnet is not None and subnet.source else client
        (zone, scope), order = self._clients.get(whose) or self._locate(whose)
        answer = self._answers.get((order.number, name)) or self._answer(name, selected, order)
        decision = self._selector.decision(zone, order, selected.site, selected.shard, answer.chosen)
        self._ring.append(Decided(self._clock(), name, whose, decision))
        failure = "" if answer.chosen.servers else f"no content server is healthy (client in {zone.name})"
        return Choice(answer.rrsets, 0 if whose is client else scope, failure)

    def _locate(self, whose: str | ClientSubnet) -> _Whose:
        if isinstance(whose, str):
            packed = ip_address(whose).packed
        else:
            packed = whose.address.ljust(16 if whose.family == 2 else 4, b"\0")
        located = self._selector.locate_packed(packed)
        if len(self._clients) >= REMEMBERED_MAX:
            self._clients.clear()
        client = self._clients[whose] = _Whose(located, self._selector.order(located.zone))
        return client

    def _answer(self, name: bytes, selected: SelectedName, order: Order) -> _RememberedAnswer:
        chosen = self._selector.choose(order, selected.site, selected.shard)
        servers = name, tuple([server.name for server in chosen.servers])
        rrsets = self._rrsets.get(servers)
        if rrsets is None:
            if len(self._rrsets) >= REMEMBERED_MAX:
                self._rrsets.clear()
            rrsets = self._rrsets[servers] = self._compile(name, chosen.servers)
        if len(self._answers) >= REMEMBERED_MAX:
            self._answers.clear()
        answer = self._answers[order.number, name] = _RememberedAnswer(chosen, rrsets)
        return answer

    def _compile(self, name: bytes, servers: tuple[Server, ...]) -> RRsets:
        by_type: dict[int, list[bytes]] = {}
        for server in servers:
            for address in map(ip_address, server.addresses):
                rdtype = Type.A if address.version == 4 else Type.AAAA
                by_type.setdefault(rdtype, []).append(address.packed)
        ttl = self._selector.snapshot.answer_ttl_seconds
        return {rdtype: compile_rrset(name, rdtype, ttl, rdatas) for rdtype, rdatas in by_type.items()}
