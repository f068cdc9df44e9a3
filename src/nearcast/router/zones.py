"""The zones of a configuration: who serves what in the small internet around the CDN.

Zones: the root, one for each top-level domain in use, each provider's, the CDN's. Every zone is
delegated from its nearest ancestor among them, so a provider in `video.example.edu` hangs below `edu`,
or below `example.edu` when another provider has that. A host name of a distribution is handed over to
the CDN by CNAME in the deepest zone that holds it; not at a zone's apex, where a CNAME cannot stand
(RFC 1034 3.6.2): there the provider's own web server answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nearcast.model.config import Config
from nearcast.wire.addresses import IpAddress
from nearcast.wire.dns.zone import Zone, compile_zone

DELEGATION_TTL_SECONDS = 3600
HANDOVER_TTL_SECONDS = 300
NEGATIVE_TTL_SECONDS = 30


@dataclass
class _Draft:
    """A zone while its records are gathered: lines of a master file, owners written absolute."""

    origin: str  # "" is the root
    address: IpAddress
    lines: list[str] = field(default_factory=list)
    ns_host: str = ""

    def add(self, owner: str, ttl_seconds: int, rdtype: str, rdata: object) -> None:
        self.lines.append(f"{owner}. {ttl_seconds} IN {rdtype} {rdata}")

    def add_address(self, owner: str, address: IpAddress) -> None:
        rdtype = "A" if address.version == 4 else "AAAA"
        self.add(owner, DELEGATION_TTL_SECONDS, rdtype, address)


def zones_by_server(config: Config) -> Mapping[str, tuple[Zone, ...]]:
    """Address of each name server, and the zones it serves."""
    drafts = _drafts(config)
    for draft in drafts.values():
        draft.ns_host = _ns_host(draft.origin, config)
        soa = f"{draft.ns_host}. hostmaster.{draft.ns_host}. 1 3600 600 604800 {NEGATIVE_TTL_SECONDS}"
        draft.add(draft.origin, DELEGATION_TTL_SECONDS, "SOA", soa)
        _add_ns(draft, draft)
    for origin, draft in drafts.items():
        if origin:
            _add_ns(drafts[_nearest(_parent(origin), drafts)], draft)
    _add_provider_hosts(config, drafts)
    _add_handovers(config, drafts)
    for server in config.content_servers:
        drafts[config.cdn.zone].add_address(f"{server.name}.{config.cdn.zone}", server.address)
    served: dict[str, tuple[Zone, ...]] = {}
    for draft in drafts.values():
        zone = compile_zone(draft.origin or ".", "\n".join(draft.lines) + "\n")
        served[str(draft.address)] = (*served.get(str(draft.address), ()), zone)
    return served


def _drafts(config: Config) -> dict[str, _Draft]:
    internet = config.internet
    owned = {config.cdn.zone: config.cdn.router}
    owned |= {provider.zone: provider.address for provider in internet.providers}
    tops = {zone.rpartition(".")[2]: internet.top for zone in owned}
    addresses = {"": internet.root} | tops | owned
    return {origin: _Draft(origin, address) for origin, address in addresses.items()}


def _parent(name: str) -> str:
    return name.partition(".")[2]


def _nearest(name: str, drafts: Mapping[str, _Draft]) -> str:
    """The deepest zone that `name` lies in."""
    while name not in drafts:
        name = _parent(name)
    return name


def _ns_host(origin: str, config: Config) -> str:
    """`ns` in the zone, or the first of ns1, ns2 … where something else has that name."""
    taken = {host for each in config.distributions for host in each.hosts}
    taken |= {f"{server.name}.{config.cdn.zone}" for server in config.content_servers}
    for label in ("ns", *(f"ns{number}" for number in range(1, len(taken) + 2))):
        host = f"{label}.{origin}".rstrip(".")
        if host not in taken:
            return host
    raise AssertionError("one of so many names is free")


def _add_ns(zone: _Draft, server_of: _Draft) -> None:
    zone.add(server_of.origin, DELEGATION_TTL_SECONDS, "NS", f"{server_of.ns_host}.")
    zone.add_address(server_of.ns_host, server_of.address)


def _add_provider_hosts(config: Config, drafts: Mapping[str, _Draft]) -> None:
    for provider in config.internet.providers:
        drafts[provider.zone].add_address(provider.zone, provider.address)


def _add_handovers(config: Config, drafts: Mapping[str, _Draft]) -> None:
    """CNAMEs in the zones of providers and of the CDN; other zones are not ours to fill."""
    ours = {config.cdn.zone, *(provider.zone for provider in config.internet.providers)}
    for each in config.distributions:
        cdn_host = f"{each.name}.{config.cdn.zone}"
        for host in each.hosts:
            zone = _nearest(host, drafts)
            if zone in ours and host not in (zone, cdn_host):
                drafts[zone].add(host, HANDOVER_TTL_SECONDS, "CNAME", f"{cdn_host}.")
