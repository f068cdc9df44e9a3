"""Snapshots for tests of selection, made without a configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nearcast.model.config import Health, Place, Serving
from nearcast.model.prefixes import Prefix, PrefixTable
from nearcast.model.snapshot import NameServer, PopSite, RouterSnapshot, RoutingZone, Server, Site, SiteOrigin

SITES = {
    name: Site(name, f"{name}.cdn.test", (f"www.{name}.test",), SiteOrigin("127.0.0.9", 80, "o"), 60, 60)
    for name in ("movie", "news")
}
ROUTER = NameServer("ns1", "ns1.cdn.test", ("127.0.0.1",), ("127.0.0.1",), 53, 80, 81, "here")


def place(name: str, north: float, east: float) -> Place:
    return Place(name=name, latitude=north, longitude=east)


def server(name: str, pop: str, failure_domain: str = "") -> Server:
    address = ("192.0.2.1",)
    return Server(name, f"{name}.cdn.test", address, address, 80, 81, pop, failure_domain or name, 1e9, 10**9)


def snapshot_of(
    pops: Sequence[PopSite],
    zones: Mapping[Prefix, RoutingZone] | None = None,
    *,
    spill_load: float = 0.8,
    answer_addresses_max: int = 2,
) -> RouterSnapshot:
    return RouterSnapshot(
        number=3,
        digest="",
        zone="cdn.test",
        sites=SITES,
        site_of_host={site.cdn_host: site for site in SITES.values()},
        shards=8,
        serving=Serving.model_validate({}),
        routers={ROUTER.name: ROUTER},
        servers={server.name: server for pop in pops for server in pop.servers},
        pops={pop.name: pop for pop in pops},
        router=ROUTER,
        zones=PrefixTable((zones or {}).items()),
        anywhere=RoutingZone(None, None, None),
        health=Health.model_validate({}),
        answer_ttl_seconds=30,
        answer_addresses_max=answer_addresses_max,
        spill_load=spill_load,
    )
