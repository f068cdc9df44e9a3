"""The zone of the CDN: what of it does not depend on who asks.

SOA, NS and glue follow from the request routers, the serial from the Snapshot's number; every content
server is a name. Host names of distributions that lie in the CDN's own zone are handed over by CNAME, as
a provider does in its own (the selected names themselves are `router.selected`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address

from nearcast.model.snapshot import RouterSnapshot
from nearcast.wire.dns.zone import Zone, compile_zone

DELEGATION_TTL_SECONDS = 3600
HANDOVER_TTL_SECONDS = 300
NEGATIVE_TTL_SECONDS = 30


@dataclass(frozen=True, slots=True)
class ZoneServer:
    """A name server of a zone: its host name and its addresses."""

    host: str
    addresses: tuple[str, ...]


@dataclass
class ZoneDraft:
    """A zone while its records are gathered: lines of a master file, owners written absolute."""

    origin: str
    """`""` is the root."""
    servers: tuple[ZoneServer, ...]
    lines: list[str] = field(default_factory=list)

    def add(self, owner: str, ttl_seconds: int, rdtype: str, rdata: object) -> None:
        self.lines.append(f"{owner}. {ttl_seconds} IN {rdtype} {rdata}")

    def add_addresses(self, owner: str, addresses: Iterable[str]) -> None:
        """A for IPv4, AAAA for IPv6."""
        for address in addresses:
            rdtype = "A" if ip_address(address).version == 4 else "AAAA"
            self.add(owner, DELEGATION_TTL_SECONDS, rdtype, address)

    def add_handover(self, host: str, cdn_host: str) -> None:
        """The provider's `host` is the CDN's affair."""
        self.add(host, HANDOVER_TTL_SECONDS, "CNAME", f"{cdn_host}.")

    def add_servers_of(self, zone: ZoneDraft) -> None:
        """NS of `zone`, and the addresses of its servers: in the zone itself, or above as delegation and glue
        (RFC 1034 4.2.1)."""
        for server in zone.servers:
            self.add(zone.origin, DELEGATION_TTL_SECONDS, "NS", f"{server.host}.")
            self.add_addresses(server.host, server.addresses)

    def add_authority(self, serial: int) -> None:
        """SOA and NS of the zone's apex."""
        primary = self.servers[0].host
        timers = f"3600 600 604800 {NEGATIVE_TTL_SECONDS}"
        soa = f"{primary}. hostmaster.{primary}. {serial} {timers}"
        self.add(self.origin, DELEGATION_TTL_SECONDS, "SOA", soa)
        self.add_servers_of(self)

    def compiled(self) -> Zone:
        """The zone as the answering core wants it."""
        return compile_zone(self.origin or ".", "\n".join(self.lines) + "\n")


def zone_servers(snapshot: RouterSnapshot) -> tuple[ZoneServer, ...]:
    """The routers as the zone's name servers."""
    return tuple(ZoneServer(each.host, each.addresses) for each in snapshot.routers.values())


def cdn_zone(snapshot: RouterSnapshot) -> Zone:
    """The zone of the CDN, compiled."""
    draft = ZoneDraft(snapshot.zone, zone_servers(snapshot))
    draft.add_authority(snapshot.number)
    for server in snapshot.servers.values():
        draft.add_addresses(server.host, server.addresses)
    for site in snapshot.sites.values():
        for host in site.hosts:
            if host.endswith(f".{snapshot.zone}") and host != site.cdn_host:
                draft.add_handover(host, site.cdn_host)
    return draft.compiled()
