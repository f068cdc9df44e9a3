"""The Snapshot: one immutable, numbered picture of the CDN that every program serves from.

A configuration is compiled into it once; programs swap it whole. Looking something up here never
parses, and nothing in it changes: what changes by the second (health, load) is `selection.Conditions`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from nearcast.model.config import Config, Distribution, Place
from nearcast.model.prefixes import PrefixTable
from nearcast.wire.addresses import IpNetwork


@dataclass(frozen=True, slots=True)
class Server:
    """A content server as the data plane sees it."""

    name: str
    host: str
    address: str
    http_port: int
    admin_port: int
    pop: str
    failure_domain: str
    capacity_bits_per_second: float
    cache_bytes_max: int


@dataclass(frozen=True, slots=True)
class PopSite:
    """A PoP with its place and its servers."""

    name: str
    kind: str
    place: Place
    servers: tuple[Server, ...]


@dataclass(frozen=True, slots=True)
class SiteOrigin:
    """Where a distribution's truth is fetched from."""

    address: str
    port: int
    host: str


@dataclass(frozen=True, slots=True)
class Site:
    """A distribution as the data plane sees it. `cdn_host` is the name it is handed over to."""

    name: str
    cdn_host: str
    hosts: tuple[str, ...]
    origin: SiteOrigin
    fresh_seconds_default: int
    stale_if_error_seconds: int


@dataclass(frozen=True, slots=True)
class RoutingZone:
    """Clients that are routed alike: those of an ISP's own PoP, those of a place, or the rest."""

    name: str
    place: Place | None
    own_pop: str | None
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """Everything the data plane needs to know, compiled."""

    number: int
    config: Config
    servers: Mapping[str, Server]
    pops: Mapping[str, PopSite]
    sites: Mapping[str, Site]
    site_of_host: Mapping[str, Site]
    zones: PrefixTable[RoutingZone]
    anywhere: RoutingZone

    def site_for(self, host: str) -> Site | None:
        """The distribution behind a Host field or a DNS name: provider's, CDN's, or shard name."""
        if (site := self.site_of_host.get(host)) is not None:
            return site
        shard, _, rest = host.partition(".")
        if shard[:1] == "s" and shard[1:].isdecimal() and int(shard[1:]) < self.config.cdn.shards:
            return self.site_of_host.get(rest)
        return None

    @property
    def sole_site(self) -> Site | None:
        """The only distribution, when there is just one: whoever asks a server by its own name or
        address (a browser that was redirected to it) means that one."""
        return next(iter(self.sites.values())) if len(self.sites) == 1 else None


def compile_snapshot(config: Config, number: int = 1) -> Snapshot:
    """Build the tables of `config`."""
    internet, zone = config.internet, config.cdn.zone
    servers = {
        server.name: Server(
            name=server.name,
            host=f"{server.name}.{zone}",
            address=str(server.address),
            http_port=internet.http_port,
            admin_port=internet.admin_port,
            pop=server.pop,
            failure_domain=server.failure_domain or server.name,
            capacity_bits_per_second=server.capacity_megabits_per_second * 1e6,
            cache_bytes_max=server.cache_megabytes * 1_000_000,
        )
        for server in config.content_servers
    }
    places = {place.name: place for place in config.places}
    pops = {
        pop.name: PopSite(
            pop.name,
            pop.kind,
            places[pop.place],
            tuple(server for server in servers.values() if server.pop == pop.name),
        )
        for pop in config.pops
    }
    sites = {each.name: _site(each, zone) for each in config.distributions}
    return Snapshot(
        number=number,
        config=config,
        servers=MappingProxyType(servers),
        pops=MappingProxyType(pops),
        sites=MappingProxyType(sites),
        site_of_host=MappingProxyType(
            {host: site for site in sites.values() for host in (site.cdn_host, *site.hosts)}
        ),
        zones=PrefixTable(_routing_zones(config, places)),
        anywhere=RoutingZone("anywhere", None, None, "no prefix on the map holds this client"),
    )


def _site(each: Distribution, zone: str) -> Site:
    origin = urlsplit(each.origin)
    return Site(
        name=each.name,
        cdn_host=f"{each.name}.{zone}",
        hosts=each.hosts,
        origin=SiteOrigin(origin.hostname or "", origin.port or 80, origin.netloc),
        fresh_seconds_default=each.fresh_seconds_default,
        stale_if_error_seconds=each.stale_if_error_seconds,
    )


def _routing_zones(config: Config, places: Mapping[str, Place]) -> Iterator[tuple[IpNetwork, RoutingZone]]:
    """A PoP's own prefixes first: of equal prefixes the first wins, and an ISP knows its clients best."""
    for pop in config.pops:
        for prefix in pop.prefixes:
            reason = f"prefix {prefix} is its own"
            yield prefix, RoutingZone(f"{pop.name}:{prefix}", places[pop.place], pop.name, reason)
    for place in config.places:
        for prefix in place.prefixes:
            yield prefix, RoutingZone(place.name, place, None, f"prefix {prefix} lies in {place.name}")
