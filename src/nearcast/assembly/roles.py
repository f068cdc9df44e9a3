"""Which programs a CDN consists of, and how each is started on the running loop.

A *role* is one program on its addresses: a request router, a content server; the lab adds name servers, a
resolver and an origin around them. The lab starts each in a process of its own, tests start them all on
one loop, and the virtual world starts them on simulated hosts: all through `Role.start`, so none of them
has its own idea of what a content server needs. (The control API runs on uvicorn and needs real sockets;
it is started beside.)
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from nearcast.cache.disk import Disk
from nearcast.edge.program import start_edge
from nearcast.model.snapshot import EdgeSnapshot, Revision, RouterSnapshot, edge_snapshot, router_snapshot
from nearcast.origin.content import ContentSource
from nearcast.router.program import start_router
from nearcast.serve.program import Running


@dataclass(frozen=True, slots=True)
class RoleDependencies:
    """What a program is handed besides the loop it runs on.

    `clock` gives wall time (Unix seconds); `titles` are what the origin serves, `pages` the player's
    web pages; `disk` is the store of a content server, `access_log` appends lines to its access log, which
    it keeps when the configuration says so.
    """

    clock: Callable[[], float]
    rng: random.Random
    disk: Callable[[], Disk]
    titles: ContentSource
    pages: ContentSource | None = None
    access_log: Callable[[bytes], object] | None = None


@dataclass(frozen=True, slots=True)
class Role:
    """One program: its name (unique), its kind (`edge`, `router` … as people call it), the addresses it
    listens on, and how it starts. `start` raises OSError when one of its ports cannot be bound."""

    name: str
    kind: str
    addresses: tuple[str, ...]
    start: Callable[[RoleDependencies], Awaitable[Running]]


def cdn_roles(revision: Revision) -> tuple[Role, ...]:
    """The content servers and request routers of a CDN."""
    edges = [edge_snapshot(revision, each.name) for each in revision.config.content_servers]
    routers = [router_snapshot(revision, each.name) for each in revision.config.routers]
    return (
        *(Role(each.server.name, "edge", each.server.listen, partial(_edge, each)) for each in edges),
        *(Role(each.router.name, "router", each.router.listen, partial(_router, each)) for each in routers),
    )


async def _edge(snapshot: EdgeSnapshot, use: RoleDependencies) -> Running:
    log = use.access_log if snapshot.serving.access_log else None
    return await start_edge(snapshot, disk=use.disk(), clock=use.clock, rng=use.rng, access_log=log)


async def _router(snapshot: RouterSnapshot, use: RoleDependencies) -> Running:
    return await start_router(snapshot, clock=use.clock, rng=use.rng)
