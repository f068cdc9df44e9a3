"""The zones of the small internet around a CDN: who serves what, and how a provider hands over.

Zones: the root, one for each top-level domain in use, each provider's. Every zone, the CDN's too, is
delegated from its nearest ancestor among them, so a provider in `video.example.edu` hangs below `edu`, or
below `example.edu` when another provider has that. A host name of a distribution is handed over to the
CDN by CNAME in the deepest zone that holds it; not at a zone's apex, where a CNAME cannot stand (RFC 1034
3.6.2): there the provider's own web server answers.
"""

from __future__ import annotations

from collections.abc import Mapping

from nearcast.lab.config import Internet
from nearcast.router.zones import ZoneDraft, ZoneServer
from nearcast.wire.addresses import IpAddress
from nearcast.wire.dns.zone import Zone

SERIAL = 1  # these zones never change while the lab runs


def lab_zones(internet: Internet) -> Mapping[str, tuple[Zone, ...]]:
    """Address of each name server of the lab, and the zones it serves."""
    config, lab = internet.config, internet.lab
    zone = config.cdn.zone
    routers = (ZoneServer(f"{each.name}.{zone}", tuple(map(str, each.addresses))) for each in config.routers)
    cdn = ZoneDraft(zone, tuple(routers))
    own = {origin: _draft(origin, address, internet) for origin, address in _origins(internet).items()}
    drafts = {**own, zone: cdn}
    for draft in own.values():
        draft.add_authority(SERIAL)
    for origin, draft in drafts.items():
        if origin and (above := _nearest(_parent(origin), drafts)) != zone:
            drafts[above].add_servers_of(draft)
    for provider in lab.providers:
        own[provider.zone].add_addresses(provider.zone, [str(provider.address)])
    _add_handovers(internet, own, drafts)
    served: dict[str, tuple[Zone, ...]] = {}
    for draft in own.values():
        address = draft.servers[0].addresses[0]
        served[address] = (*served.get(address, ()), draft.compiled())
    return served


def _origins(internet: Internet) -> dict[str, IpAddress]:
    """Every zone of the lab, and the address of its server."""
    lab = internet.lab
    owned = {provider.zone: provider.address for provider in lab.providers}
    tops = {zone.rpartition(".")[2]: lab.top for zone in (*owned, internet.config.cdn.zone)}
    tops.pop(internet.config.cdn.zone, None)  # a CDN that is a top-level domain serves itself
    return {"": lab.root} | tops | owned


def _draft(origin: str, address: IpAddress, internet: Internet) -> ZoneDraft:
    return ZoneDraft(origin, (ZoneServer(_server_host(origin, internet), (str(address),)),))


def _parent(name: str) -> str:
    return name.partition(".")[2]


def _nearest(name: str, drafts: Mapping[str, ZoneDraft]) -> str:
    """The deepest zone that `name` lies in."""
    while name not in drafts:
        name = _parent(name)
    return name


def _server_host(origin: str, internet: Internet) -> str:
    """`ns` in the zone, or the first of ns1, ns2 … where something else has that name."""
    taken = {host for each in internet.config.distributions for host in each.hosts}
    for label in ("ns", *(f"ns{number}" for number in range(1, len(taken) + 2))):
        host = f"{label}.{origin}".rstrip(".")
        if host not in taken:
            return host
    raise AssertionError("one of so many names is free")


def _add_handovers(internet: Internet, own: Mapping[str, ZoneDraft], drafts: Mapping[str, ZoneDraft]) -> None:
    """CNAMEs in the zones of providers; other zones are not theirs to fill."""
    providers = {provider.zone for provider in internet.lab.providers}
    for each in internet.config.distributions:
        for host in each.hosts:
            zone = _nearest(host, drafts)
            if zone in providers and host != zone:
                own[zone].add_handover(host, f"{each.name}.{internet.config.cdn.zone}")
