"""The selected names: their addresses come from `Selector.decide` for the client's routing zone.

A client is where its subnet says (RFC 7871, when the prefix is longer than 0), else where its resolver
is. The answer then holds for `Located.scope` bits of that subnet, or for everyone behind the resolver
(scope 0). Selection is a pure function of Snapshot, Conditions and routing zone, so a choice is made
once per (zone, name) and remembered as compiled RRsets; a `SelectedNames` lives exactly as long as its
`Selector` and needs no invalidation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import NamedTuple

from nearcast.model.snapshot import RouterSnapshot, Site
from nearcast.router.authority import Choice
from nearcast.selection.decide import Decision, Located, Selector
from nearcast.wire.dns.codes import Type
from nearcast.wire.dns.message import ClientSubnet
from nearcast.wire.dns.names import wire_name
from nearcast.wire.dns.rrset import RRset, compile_rrset

REMEMBERED_MAX = 65_536  # choices, and clients located; cleared whole when full
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


class _Compiled(NamedTuple):
    decision: Decision
    rrsets: Mapping[int, RRset]
    failure: str


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
        self._compiled: dict[tuple[str, bytes], _Compiled] = {}
        self._located: dict[str | ClientSubnet, Located] = {}

    def choose(self, name: bytes, client: str, subnet: ClientSubnet | None) -> Choice | None:
        selected = self._names.get(name)
        if selected is None:
            return None
        whose = subnet if subnet is not None and subnet.source else client
        located = self._located.get(whose) or self._locate(whose)
        compiled = self._compiled.get((located.zone.name, name)) or self._compile(name, selected, located)
        self._ring.append(Decided(self._clock(), name, whose, compiled.decision))
        return Choice(compiled.rrsets, 0 if whose is client else located.scope, compiled.failure)

    def _locate(self, whose: str | ClientSubnet) -> Located:
        address = ip_address(whose) if isinstance(whose, str) else whose.first
        located = self._selector.locate(address)
        if len(self._located) >= REMEMBERED_MAX:
            self._located.clear()
        self._located[whose] = located
        return located

    def _compile(self, name: bytes, selected: SelectedName, located: Located) -> _Compiled:
        decision = self._selector.decide(located.zone, selected.site, selected.shard)
        by_type: dict[int, list[bytes]] = {}
        for server in decision.servers:
            for address in map(ip_address, server.addresses):
                rdtype = Type.A if address.version == 4 else Type.AAAA
                by_type.setdefault(rdtype, []).append(address.packed)
        rrsets = {
            rdtype: compile_rrset(name, rdtype, decision.ttl_seconds, rdatas)
            for rdtype, rdatas in by_type.items()
        }
        failure = "" if decision.servers else f"no content server is healthy (client in {decision.zone})"
        if len(self._compiled) >= REMEMBERED_MAX:
            self._compiled.clear()
        compiled = self._compiled[located.zone.name, name] = _Compiled(decision, rrsets, failure)
        return compiled
