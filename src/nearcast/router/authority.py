"""The answering core: one query in, one reply out, from compiled zones.

The same class is the root, a top-level domain, a provider's name server and the CDN's request router;
the router differs only in that some of its names are *selected*: their addresses depend on the client.

The rules are those of RFC 1034 4.3.2, in this order: the nearest zone above the name; a delegation on
the way down (referral: NS and glue, no AA); the name itself; a wildcard (RFC 4592); NXDOMAIN. A name
that exists without the wanted type is NODATA. Negative answers carry the SOA (RFC 2308). A CNAME is
followed as long as it stays in zones served here. ANY gets one RRset (RFC 8482). Foreign names and
zone transfers are refused.

Hot file: no logging, no objects but the reply's parts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from nearcast.wire.dns.codes import IN, Rcode, Type
from nearcast.wire.dns.message import ClientSubnet, DnsFault, Query, build_reply, fault_reply, parse_query
from nearcast.wire.dns.names import lineage, parent, read_name
from nearcast.wire.dns.rrset import Piece, RRset, compile_rrset
from nearcast.wire.dns.zone import Node, Zone

CHAIN_MAX = 8  # CNAMEs followed in one answer
_WILDCARD = b"\x01*"
_REFUSED_TYPES = range(249, 255)  # TKEY, TSIG, IXFR, AXFR, MAILB, MAILA: no data, and none of them served
_NOTHING: Node = {}


class Choice(NamedTuple):
    """What a selected name answers one client with: RRsets by type, and the ECS scope of that.

    `failure` is "" or why no server can be named: that is answered with SERVFAIL. Resolvers keep a
    failure for seconds only (RFC 9520) and tell it apart from "has no address", which would be a lie
    that they keep for the SOA's minimum.
    """

    rrsets: Node
    scope: int
    failure: str


class Selected(Protocol):
    """The names whose addresses depend on the client."""

    def choose(self, name: bytes, client: str, subnet: ClientSubnet | None) -> Choice | None:
        """The choice for the client behind a resolver at address `client`; None for any other name."""
        ...


class _Reply:
    """The parts of a reply while it grows."""

    __slots__ = ("additional", "answer", "authoritative", "authority", "rcode", "scope", "why")

    def __init__(self) -> None:
        self.rcode: int = Rcode.NOERROR
        self.authoritative = True
        self.answer: list[Piece] = []
        self.authority: list[Piece] = []
        self.additional: list[Piece] = []
        self.scope = 0
        self.why = ""


class Authority:
    """Answers for `zones`, and for `selected` names inside them."""

    def __init__(self, zones: Iterable[Zone], selected: Selected | None = None) -> None:
        self._zones = {zone.origin: zone for zone in zones}
        self._selected = selected

    def answer(self, octets: bytes, peer: tuple[str, int], stream: bool = False) -> bytes | None:
        """The reply to the query in `octets`, or None for silence. `stream`: it came over TCP."""
        try:
            query = parse_query(octets)
        except DnsFault as fault:
            return fault_reply(octets, fault)
        if query is None:
            return None
        reply = self._reply(query, peer[0])
        return build_reply(
            query,
            query.reply_bytes_max(stream),
            reply.rcode,
            authoritative=reply.authoritative,
            answer=reply.answer,
            authority=reply.authority,
            additional=reply.additional,
            scope=reply.scope,
            why=reply.why,
        )

    def _reply(self, query: Query, client: str) -> _Reply:
        reply = _Reply()
        name: bytes | None = query.name
        for _ in range(CHAIN_MAX):
            assert name is not None
            zone = self._zone_of(name, query.rdtype)
            if zone is None or query.rdclass != IN or query.rdtype in _REFUSED_TYPES:
                if not reply.answer:
                    reply.rcode, reply.authoritative = Rcode.REFUSED, False
                break
            name = self._look_up(reply, query, client, zone, name)
            if name is None:
                break
        return reply

    def _zone_of(self, name: bytes, rdtype: int) -> Zone | None:
        """The nearest zone above `name`; for DS the parent's, which alone holds it (RFC 4035 3.1.4.1)."""
        zones, ancestor = self._zones, name
        while (zone := zones.get(ancestor)) is None and ancestor[0]:
            ancestor = ancestor[ancestor[0] + 1 :]
        if rdtype == Type.DS and ancestor == name and name[0]:
            return self._zone_of(parent(name), Type.NS) or zone
        return zone

    def _look_up(self, reply: _Reply, query: Query, client: str, zone: Zone, name: bytes) -> bytes | None:
        """Add what `zone` knows about `name`; the result is the CNAME target to go on with, or None."""
        if zone.cuts and self._refer(reply, query, zone, name):
            return None
        if self._selected is not None:
            choice = self._selected.choose(name, client, query.edns and query.edns.subnet)
            if choice is not None:
                reply.scope = choice.scope
                if choice.failure:
                    reply.rcode, reply.authoritative, reply.why = Rcode.SERVFAIL, False, choice.failure
                    reply.answer.clear()
                    return None
                return self._add(reply, query, zone, name, choice.rrsets)
        node = zone.nodes.get(name)
        if node is None:
            node = _wildcard(zone, name)
        if node is None:
            reply.rcode = Rcode.NXDOMAIN
            reply.authority.append(zone.denial.in_full)
            return None
        return self._add(reply, query, zone, name, node)

    def _refer(self, reply: _Reply, query: Query, zone: Zone, name: bytes) -> bool:
        """Add the delegation that `name` lies behind, if there is one: the one nearest to the apex."""
        cut = None
        for ancestor in lineage(name):
            if ancestor == zone.origin:
                break
            if ancestor in zone.cuts and not (ancestor == name and query.rdtype == Type.DS):
                cut = zone.cuts[ancestor]
        if cut is None:
            return False
        if not reply.answer:  # behind a CNAME the resolver asks for itself
            reply.authoritative = False
            reply.authority.append(cut.ns.in_full)
            reply.additional.extend([glue.in_full for glue in cut.glue])
        return True

    def _add(self, reply: _Reply, query: Query, zone: Zone, name: bytes, node: Node) -> bytes | None:
        rrset = node.get(query.rdtype) or node.get(Type.CNAME)
        if rrset is None and query.rdtype == Type.ANY and node:
            rrset = next(iter(node.values()))
        if rrset is None:
            reply.authority.append(zone.denial.in_full)
            return None
        reply.answer.append(rrset.at_question if name == query.name else _owned(rrset, name))
        if rrset.rdtype != Type.CNAME or query.rdtype in (Type.CNAME, Type.ANY):
            return None
        return read_name(rrset.rdatas[0], 0)[0]


def _wildcard(zone: Zone, name: bytes) -> Node | None:
    """The wildcard below the closest name that exists (RFC 4592 3.3.1), if it has one."""
    encloser = parent(name)
    while encloser not in zone.nodes:
        encloser = parent(encloser)
    return zone.nodes.get(_WILDCARD + encloser)


def _owned(rrset: RRset, name: bytes) -> Piece:
    """`rrset` with `name` as its owner: another than its own when a wildcard made it."""
    if rrset.owner == name:
        return rrset.in_full
    return compile_rrset(name, rrset.rdtype, rrset.ttl, rrset.rdatas).in_full
