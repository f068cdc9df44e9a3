"""The programs of an internet, each on a host of its own in a virtual world.

The lab's configurations live on loopback addresses, which in the virtual world as on real machines
cannot be reached from another host. `off_loopback` moves them into 10.0.0.0/8; nothing else changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeVar

from pydantic import BaseModel

from nearcast.assembly.roles import Role, RoleDependencies
from nearcast.lab.config import Internet
from nearcast.lab.roles import internet_roles
from nearcast.origin.content import ContentSource
from nearcast.origin.media import KINDS, MediaType
from nearcast.origin.program import start_origin
from nearcast.serve.program import Running
from nearcast.simulate.world.disk import DiskShape
from nearcast.simulate.world.host import Host, Program
from nearcast.simulate.world.world import World

M = TypeVar("M", bound=BaseModel)


def off_loopback(internet: Internet) -> Internet:
    """`internet` with every address of 127.0.0.0/8 moved to the same place in 10.0.0.0/8."""
    return Internet(_moved(internet.config), _moved(internet.lab))


def _moved(model: M) -> M:
    moved = model.model_dump_json().replace('"127.', '"10.').replace("//127.", "//10.")
    return type(model).model_validate_json(moved)


Started = Callable[[Role, Running], None]


def place(
    world: World,
    internet: Internet,
    titles: ContentSource,
    started: Started = lambda role, running: None,
    *,
    disk: DiskShape | None = None,
    kinds: Mapping[str, MediaType] = KINDS,
    instead: Mapping[str, Program] | None = None,
) -> None:
    """Add a host for every role and every viewer of `internet`; hosts are named like their roles.

    `started` is told of every program that has started, also after a restart; `disk` is the content
    servers' kind of disk; `kinds` is what the origin says of its contents; `instead` are
    programs that hosts run in place of theirs, by name.
    """
    roles = internet_roles(internet)
    for role in roles:
        world.host(role.name, role.addresses, disk=disk if role.kind == "edge" else None)
    for viewer in internet.lab.viewers:
        world.host(viewer.name, [str(viewer.address)])
    for role in roles:
        if role.kind == "origin":
            role = replace(role, start=partial(_origin, role.addresses[0], internet.lab.http_port, kinds))
        program = (instead or {}).get(role.name)
        world.hosts[role.name].start(program or program_of(role, titles, started))


def program_of(role: Role, titles: ContentSource, started: Started = lambda role, running: None) -> Program:
    """What a host runs for `role`, now and after every restart."""

    async def program(host: Host) -> None:
        use = RoleDependencies(host.clock, host.random, lambda: host.disk, titles)
        running = await role.start(use)
        host.drains = running.drain
        started(role, running)
        await asyncio.get_running_loop().create_future()  # its incarnation ends with the host's

    return program


def origin_at(
    address: str, port: int, titles: ContentSource, kinds: Mapping[str, MediaType] = KINDS
) -> Program:
    """What the host of a further origin runs."""
    return program_of(Role("origin", "origin", (address,), partial(_origin, address, port, kinds)), titles)


async def _origin(address: str, port: int, kinds: Mapping[str, MediaType], use: RoleDependencies) -> Running:
    return await start_origin(use.titles, address, port, clock=use.clock, kinds=kinds)
