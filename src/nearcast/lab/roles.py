"""The programs of the small internet, the CDN's among them, in an order in which each finds what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from nearcast.assembly.roles import Role, RoleDependencies, cdn_roles
from nearcast.lab.config import Internet, Lab, Provider
from nearcast.lab.zones import lab_zones
from nearcast.model.snapshot import Revision
from nearcast.origin.apex import start_apex
from nearcast.origin.program import start_origin
from nearcast.resolver.program import ResolverSettings, start_resolver
from nearcast.router.program import start_authority
from nearcast.serve.program import Group, Running
from nearcast.wire.addresses import client_subnet
from nearcast.wire.dns.zone import Zone


def internet_roles(internet: Internet, number: int = 1) -> tuple[Role, ...]:
    """Every program of `internet`; its CDN runs by revision `number`."""
    lab, zones = internet.lab, lab_zones(internet)
    revision = Revision(number, internet.config)
    root, top, origin, resolver = map(str, (lab.root, lab.top, lab.origin, lab.resolver))
    return (
        Role("root", "root", (root,), partial(_authority, zones[root], root, lab)),
        Role("top", "top", (top,), partial(_authority, zones.get(top, ()), top, lab)),
        *(
            Role(each.zone, "provider", (str(each.address),), partial(_provider, zones, each, lab))
            for each in lab.providers
        ),
        Role("origin", "origin", (origin,), partial(_origin, lab)),
        *cdn_roles(revision),
        Role("resolver", "resolver", (resolver,), partial(_resolver, resolver_settings(lab))),
    )


def resolver_settings(lab: Lab) -> ResolverSettings:
    """Where the lab's resolver stands, and for whom its viewers stand."""
    return ResolverSettings(
        address=str(lab.resolver),
        dns_port=lab.dns_port,
        admin_port=lab.admin_port,
        roots=(str(lab.root),),
        subnets={
            str(viewer.address): client_subnet(viewer.client)
            for viewer in lab.viewers
            if viewer.address != viewer.client
        },
    )


async def _authority(zones: tuple[Zone, ...], address: str, lab: Lab, use: RoleDependencies) -> Running:
    return await start_authority(zones, address, lab.dns_port)


async def _provider(
    zones: Mapping[str, tuple[Zone, ...]], provider: Provider, lab: Lab, use: RoleDependencies
) -> Running:
    address = str(provider.address)
    names = await start_authority(zones[address], address, lab.dns_port)
    try:
        web = await start_apex(provider.zone, address, lab.http_port, clock=use.clock)
    except OSError:
        names.abort()
        raise
    return Group(names, web)


async def _origin(lab: Lab, use: RoleDependencies) -> Running:
    return await start_origin(use.titles, str(lab.origin), lab.http_port, clock=use.clock, pages=use.pages)


async def _resolver(place: ResolverSettings, use: RoleDependencies) -> Running:
    return await start_resolver(place, clock=use.clock, rng=use.rng)
