"""Which programs a configuration asks for, and how each is started on the running loop.

A *role* is one program on one address: a name server, the resolver, the router, the origin, a content
server. The lab starts each in a process of its own, tests start them all on one loop, and the virtual
world starts them on simulated hosts: all through `start`, so none of them has its own idea of what a
content server needs. (The control API runs on uvicorn and needs real sockets; it is started beside.)
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from nearcast.cache.disk import Disk
from nearcast.edge.program import start_edge
from nearcast.model.snapshot import Snapshot
from nearcast.origin.apex import start_apex
from nearcast.origin.content import ContentSource
from nearcast.origin.program import start_origin
from nearcast.resolver.program import start_resolver
from nearcast.router.program import start_authority, start_router
from nearcast.router.zones import zones_by_server
from nearcast.serve.program import Group, Running

RoleKind = Literal["root", "top", "provider", "resolver", "origin", "router", "edge"]


@dataclass(frozen=True, slots=True)
class Role:
    """One program of the internet: its name (unique), kind, and address."""

    name: str
    kind: RoleKind
    address: str


@dataclass(frozen=True, slots=True)
class RoleDependencies:
    """What a program is handed besides the loop it runs on.

    `clock` gives wall time (Unix seconds); `titles` are what the origin serves, `pages` the player's
    web pages; `disk` is the store of a content server.
    """

    clock: Callable[[], float]
    rng: random.Random
    disk: Callable[[], Disk]
    titles: ContentSource
    pages: ContentSource | None = None


def roles(snapshot: Snapshot) -> tuple[Role, ...]:
    """Every program, in an order in which each finds what it needs already there."""
    internet, cdn = snapshot.config.internet, snapshot.config.cdn
    return (
        Role("root", "root", str(internet.root)),
        Role("top", "top", str(internet.top)),
        *(Role(each.zone, "provider", str(each.address)) for each in internet.providers),
        Role("origin", "origin", str(internet.origin)),
        *(Role(server.name, "edge", server.address) for server in snapshot.servers.values()),
        Role("router", "router", str(cdn.router)),
        Role("resolver", "resolver", str(internet.resolver)),
    )


async def start(role: Role, snapshot: Snapshot, use: RoleDependencies) -> Running:
    """Start the program of `role`. Raises OSError when one of its ports cannot be bound."""
    internet = snapshot.config.internet
    match role.kind:
        case "root" | "top":
            return await _authority(role, snapshot)
        case "provider":
            names = await _authority(role, snapshot)
            try:
                web = await start_apex(role.name, role.address, internet.http_port, clock=use.clock)
            except OSError:
                names.abort()
                raise
            return Group(names, web)
        case "origin":
            return await start_origin(
                use.titles, role.address, internet.http_port, clock=use.clock, pages=use.pages
            )
        case "edge":
            return await start_edge(snapshot, role.name, disk=use.disk(), clock=use.clock, rng=use.rng)
        case "router":
            return await start_router(snapshot, clock=use.clock, rng=use.rng)
        case "resolver":
            return await start_resolver(snapshot.config, clock=use.clock, rng=use.rng)


async def _authority(role: Role, snapshot: Snapshot) -> Running:
    zones = zones_by_server(snapshot.config)[role.address]
    return await start_authority(zones, role.address, snapshot.config.internet.dns_port)
