"""A zone, compiled: every RRset's wire form, every delegation with its glue, every name that exists.

dnspython reads the zone and knows every record type; after that it has no part in answering.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import dns.exception
import dns.rdatatype
import dns.rdtypes.ANY.SOA
import dns.zone

from nearcast.wire.dns.codes import Type
from nearcast.wire.dns.names import lineage, name_text, read_name, wire_name
from nearcast.wire.dns.rrset import RRset, compile_rrset

Node = Mapping[int, RRset]


class ZoneFault(ValueError):
    """The zone cannot be served: what is wrong with it."""


class Cut(NamedTuple):
    """A delegation: the child's NS records and the addresses that the zone knows for them."""

    ns: RRset
    glue: tuple[RRset, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Zone:
    """What one zone knows. Names are lower-case wire forms.

    `nodes` holds every name that exists, names that only have children (empty non-terminals,
    RFC 4592 2.2.2) included. `denial` is the SOA as it proves a negative answer: its TTL is at most
    the SOA's minimum field (RFC 2308 5).
    """

    origin: bytes
    nodes: Mapping[bytes, Node]
    cuts: Mapping[bytes, Cut]
    denial: RRset

    def __repr__(self) -> str:
        return f"<Zone {name_text(self.origin)}: {len(self.nodes)} names, {len(self.cuts)} delegations>"


def compile_zone(origin: str, text: str) -> Zone:
    """Compile a zone in master file format (RFC 1035 5). Raises ZoneFault."""
    try:
        source = dns.zone.from_text(text, origin=origin.rstrip(".") + ".", relativize=False)
    except (dns.exception.DNSException, ValueError) as fault:
        raise ZoneFault(f"zone {origin}: {fault or type(fault).__name__}") from None
    apex = wire_name(origin)
    nodes: dict[bytes, dict[int, RRset]] = {}
    for name, node in source.nodes.items():
        owner = name.canonicalize().to_wire()
        assert owner is not None
        nodes[owner] = {
            int(each.rdtype): compile_rrset(owner, int(each.rdtype), each.ttl, _rdatas(each)) for each in node
        }
    for owner in list(nodes):
        for ancestor in lineage(owner):
            if ancestor == apex:
                break
            nodes.setdefault(ancestor, {})
    return Zone(apex, nodes, _cuts(apex, nodes), _denial(nodes[apex][Type.SOA], source))


def _rdatas(rdataset: object) -> Iterator[bytes]:
    for rdata in rdataset:  # type: ignore[attr-defined]
        yield rdata.to_wire()


def _cuts(apex: bytes, nodes: Mapping[bytes, Node]) -> dict[bytes, Cut]:
    cuts = {}
    for owner, node in nodes.items():
        if owner == apex or Type.NS not in node:
            continue
        targets = [read_name(rdata, 0)[0] for rdata in node[Type.NS].rdatas]
        glue = (
            nodes[target][rdtype]
            for target in targets
            for rdtype in (Type.A, Type.AAAA)
            if rdtype in nodes.get(target, {})
        )
        cuts[owner] = Cut(node[Type.NS], tuple(glue))
    return cuts


def _denial(soa: RRset, source: dns.zone.Zone) -> RRset:
    rdata = source.get_soa()
    assert isinstance(rdata, dns.rdtypes.ANY.SOA.SOA)
    return compile_rrset(soa.owner, Type.SOA, min(soa.ttl, rdata.minimum), soa.rdatas)
