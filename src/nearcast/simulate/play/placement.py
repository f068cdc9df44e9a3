"""The programs of a configuration, each on a host of its own in a virtual world.

The lab's configurations live on loopback addresses, which in the virtual world as on real machines
cannot be reached from another host. `off_loopback` moves them into 10.0.0.0/8; nothing else changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from nearcast.assembly.roles import Role, RoleDependencies, roles, start
from nearcast.model.config import Config
from nearcast.model.snapshot import Snapshot
from nearcast.origin.content import ContentSource
from nearcast.origin.media import KINDS, MediaType
from nearcast.origin.program import start_origin
from nearcast.serve.program import Running
from nearcast.simulate.world.disk import DiskShape
from nearcast.simulate.world.host import Host, Program
from nearcast.simulate.world.world import World


def off_loopback(config: Config) -> Config:
    """`config` with every address of 127.0.0.0/8 moved to the same place in 10.0.0.0/8."""
    moved = config.model_dump_json().replace('"127.', '"10.').replace("//127.", "//10.")
    return Config.model_validate_json(moved)


Started = Callable[[Role, Running], None]


def place(
    world: World,
    snapshot: Snapshot,
    titles: ContentSource,
    started: Started = lambda role, running: None,
    *,
    disk: DiskShape | None = None,
    kinds: Mapping[str, MediaType] = KINDS,
) -> None:
    """Add a host for every role and every viewer of `snapshot`; hosts are named like their roles.

    `started` is told of every program that has started, also after a restart; `disk` is the content
    servers' kind of disk; `kinds` is what the origin says of its contents.
    """
    for role in roles(snapshot):
        world.host(role.name, [role.address], disk=disk if role.kind == "edge" else None)
    for viewer in snapshot.config.internet.viewers:
        world.host(viewer.name, [str(viewer.address)])
    for role in roles(snapshot):
        world.hosts[role.name].start(program_of(role, snapshot, titles, started, kinds=kinds))


def program_of(
    role: Role,
    snapshot: Snapshot,
    titles: ContentSource,
    started: Started = lambda role, running: None,
    *,
    kinds: Mapping[str, MediaType] = KINDS,
) -> Program:
    """What a host runs for `role`, now and after every restart."""

    async def program(host: Host) -> None:
        means = RoleDependencies(host.clock, host.random, lambda: host.disk, titles)
        running: Running
        if role.kind == "origin":
            port = snapshot.config.internet.http_port
            running = await start_origin(titles, role.address, port, clock=host.clock, kinds=kinds)
        else:
            running = await start(role, snapshot, means)
        host.drains = running.drain
        started(role, running)
        await asyncio.get_running_loop().create_future()  # its incarnation ends with the host's

    return program
