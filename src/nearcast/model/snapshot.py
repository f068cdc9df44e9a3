"""Snapshots: what one role of the CDN needs to know, compiled, immutable and numbered.

A configuration with a number is a `Revision`: that is what is published, kept and compared. Each program
compiles from it the Snapshot of its role, and swaps it whole: an edge needs no map of prefixes, a router
no sizes of caches. Looking something up in a Snapshot never parses, and nothing in it changes: what
changes by the second (health, load) is `selection.Conditions`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from urllib.parse import urlsplit

from nearcast.model.checks import router_ports, server_ports
from nearcast.model.config import Config, Distribution, Health, Place, Serving
from nearcast.model.prefixes import PrefixTable
from nearcast.wire.addresses import IpNetwork


@dataclass(frozen=True)
class Revision:
    """A configuration and its number: 1, 2, 3 … in the order in which they are published."""

    number: int
    config: Config

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the configuration, in hexadecimal: equal for equal configurations."""
        return hashlib.sha256(self._text().encode()).hexdigest()

    def to_json(self) -> str:
        """The revision as one JSON document."""
        return f'{{"number": {self.number}, "digest": "{self.digest}", "config": {self._text()}}}'

    @classmethod
    def from_json(cls, text: str | bytes) -> Revision:
        """Read what `to_json` wrote. ValueError when it is not that, or not whole."""
        document = json.loads(text)
        if not isinstance(document, dict) or set(document) != {"number", "digest", "config"}:
            raise ValueError("a revision has number, digest and config")
        revision = cls(int(document["number"]), Config.model_validate(document["config"]))
        if revision.digest != document["digest"]:
            raise ValueError("the digest of this revision is not that of its configuration")
        return revision

    def _text(self) -> str:
        plain = self.config.model_dump(mode="json")
        return json.dumps(plain, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Server:
    """A content server as the data plane sees it. `listen`: the addresses it binds, often those it is
    reached at."""

    name: str
    host: str
    addresses: tuple[str, ...]
    listen: tuple[str, ...]
    http_port: int
    admin_port: int
    pop: str
    failure_domain: str
    capacity_bits_per_second: float
    cache_bytes_max: int

    @property
    def address(self) -> str:
        """The first address: where it is administered, and where redirects lead."""
        return self.addresses[0]


@dataclass(frozen=True, slots=True)
class NameServer:
    """A request router as the data plane sees it."""

    name: str
    host: str
    addresses: tuple[str, ...]
    listen: tuple[str, ...]
    dns_port: int
    http_port: int
    admin_port: int
    place: str

    @property
    def address(self) -> str:
        """The first address: where it is administered."""
        return self.addresses[0]


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
    """Clients that are routed alike: those of an ISP's own PoP, those of a place, or the rest.

    There is one for every prefix of the map, perhaps a million: it costs three references, and has its
    words only when somebody asks.
    """

    place: Place | None
    own_pop: str | None
    prefix: IpNetwork | None

    @property
    def name(self) -> str:
        """What it is called in decisions."""
        if self.own_pop is not None:
            return f"{self.own_pop}:{self.prefix}"
        return "anywhere" if self.place is None else self.place.name

    @property
    def reason(self) -> str:
        """Why a client belongs here."""
        if self.own_pop is not None:
            return f"prefix {self.prefix} is its own"
        if self.place is None:
            return "no prefix on the map holds this client"
        return f"prefix {self.prefix} lies in {self.place.name}"


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """What every role knows: the number, the zone, and the distributions by their names."""

    number: int
    digest: str
    zone: str
    sites: Mapping[str, Site]
    site_of_host: Mapping[str, Site]
    shards: int
    serving: Serving

    def site_for(self, host: str) -> Site | None:
        """The distribution behind a Host field or a DNS name: provider's, CDN's, or shard name."""
        if (site := self.site_of_host.get(host)) is not None:
            return site
        shard, _, rest = host.partition(".")
        if shard[:1] == "s" and shard[1:].isdecimal() and int(shard[1:]) < self.shards:
            return self.site_of_host.get(rest)
        return None

    @property
    def sole_site(self) -> Site | None:
        """The only distribution, when there is just one: whoever asks a server by its own name or
        address (a browser that was redirected to it) means that one."""
        return next(iter(self.sites.values())) if len(self.sites) == 1 else None


@dataclass(frozen=True, slots=True, eq=False)
class EdgeSnapshot(Snapshot):
    """For one content server."""

    server: Server


@dataclass(frozen=True, slots=True, eq=False)
class FleetSnapshot(Snapshot):
    """For whoever must know all routers and content servers."""

    routers: Mapping[str, NameServer]
    servers: Mapping[str, Server]
    pops: Mapping[str, PopSite]


@dataclass(frozen=True, slots=True, eq=False)
class RouterSnapshot(FleetSnapshot):
    """For one request router, `router`."""

    router: NameServer
    zones: PrefixTable[RoutingZone]
    anywhere: RoutingZone
    health: Health
    answer_ttl_seconds: int
    answer_addresses_max: int
    spill_load: float


@dataclass(frozen=True, slots=True, eq=False)
class ControlSnapshot(FleetSnapshot):
    """For the control program, which listens on `listen` and `port` and is reached at `address`."""

    address: str
    listen: str
    port: int


def edge_snapshot(revision: Revision, name: str) -> EdgeSnapshot:
    """The Snapshot of the content server called `name`. KeyError when there is none."""
    server = _servers(revision.config)[name]
    return EdgeSnapshot(*_common(revision), server)


def router_snapshot(revision: Revision, name: str) -> RouterSnapshot:
    """The Snapshot of the request router called `name`. KeyError when there is none."""
    config = revision.config
    routers, servers, pops = _fleet(config)
    return RouterSnapshot(
        *_common(revision),
        routers,
        servers,
        pops,
        router=routers[name],
        zones=PrefixTable(_routing_zones(config, {place.name: place for place in config.places})),
        anywhere=RoutingZone(None, None, None),
        health=config.health,
        answer_ttl_seconds=config.cdn.answer_ttl_seconds,
        answer_addresses_max=config.cdn.answer_addresses_max,
        spill_load=config.cdn.spill_load,
    )


def control_snapshot(revision: Revision) -> ControlSnapshot:
    """The Snapshot of the control program."""
    control, ports = revision.config.control, revision.config.ports
    return ControlSnapshot(
        *_common(revision),
        *_fleet(revision.config),
        address=str(control.address),
        listen=str(control.listen or control.address),
        port=control.port or ports.http,
    )


_Common = tuple[int, str, str, Mapping[str, Site], Mapping[str, Site], int, Serving]
_Fleet = tuple[Mapping[str, NameServer], Mapping[str, Server], Mapping[str, PopSite]]


def _common(revision: Revision) -> _Common:
    """The fields of `Snapshot`, in their order."""
    config = revision.config
    sites = {each.name: _site(each, config.cdn.zone) for each in config.distributions}
    by_host = {host: site for site in sites.values() for host in (site.cdn_host, *site.hosts)}
    return (
        revision.number,
        revision.digest,
        config.cdn.zone,
        MappingProxyType(sites),
        MappingProxyType(by_host),
        config.cdn.shards,
        config.serving,
    )


def _fleet(config: Config) -> _Fleet:
    """What `FleetSnapshot` adds, in its order."""
    zone, places = config.cdn.zone, {place.name: place for place in config.places}
    routers, servers = {}, _servers(config)
    for each in config.routers:
        addresses = tuple(map(str, each.addresses))
        listen = tuple(map(str, each.listen)) or addresses
        ports = router_ports(each, config.ports)
        routers[each.name] = NameServer(
            each.name, f"{each.name}.{zone}", addresses, listen, *ports, place=each.place
        )
    pops = {
        pop.name: PopSite(
            pop.name,
            pop.kind,
            places[pop.place],
            tuple(server for server in servers.values() if server.pop == pop.name),
        )
        for pop in config.pops
    }
    return MappingProxyType(routers), MappingProxyType(servers), MappingProxyType(pops)


def _servers(config: Config) -> dict[str, Server]:
    servers = {}
    for each in config.content_servers:
        http_port, admin_port = server_ports(each, config.ports)
        addresses = tuple(map(str, each.addresses))
        servers[each.name] = Server(
            name=each.name,
            host=f"{each.name}.{config.cdn.zone}",
            addresses=addresses,
            listen=tuple(map(str, each.listen)) or addresses,
            http_port=http_port,
            admin_port=admin_port,
            pop=each.pop,
            failure_domain=each.failure_domain or each.name,
            capacity_bits_per_second=each.capacity_megabits_per_second * 1e6,
            cache_bytes_max=each.cache_megabytes * 1_000_000,
        )
    return servers


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
            yield prefix, RoutingZone(places[pop.place], pop.name, prefix)
    for place in config.places:
        for prefix in place.prefixes:
            yield prefix, RoutingZone(place, None, prefix)
