"""The lab's programs as processes: what each runs, and how they are started, killed and watched.

The plans are made before anything else, because the supervisor's process must be forked while this one
has neither loop nor threads; a worker opens what it needs (the titles, its store) when it starts.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from nearcast.assembly.roles import Role, RoleDependencies
from nearcast.cache.disk import PosixDisk
from nearcast.control.catalogue import CatalogueEntry
from nearcast.control.program import start_control
from nearcast.control.schemas import ViewerPlace
from nearcast.control.status import place_schema
from nearcast.lab.config import Internet
from nearcast.lab.console import ConsoleCommand, Report
from nearcast.lab.roles import internet_roles
from nearcast.lab.workplace import Workplace
from nearcast.model.pages import pages_directory
from nearcast.model.snapshot import Revision, control_snapshot
from nearcast.model.title import TITLE_JSON, Title
from nearcast.origin.directory import DirectorySource
from nearcast.serve.process_group import ProcessGroup, WorkerFailed
from nearcast.serve.program import Running
from nearcast.serve.supervisor import WorkerPlan
from nearcast.serve.worker import run_program

CONTROL = "control"
DRAIN_SECONDS = 2.0


def plans(internet: Internet, workplace: Workplace) -> tuple[WorkerPlan, ...]:
    """A process for every role, and one for the control API."""

    def plan(name: str, begin: Callable[[], Awaitable[Running]]) -> WorkerPlan:
        return WorkerPlan(name, partial(run_program, begin, DRAIN_SECONDS))

    return (
        *(plan(role.name, partial(_start_role, role, workplace)) for role in internet_roles(internet)),
        plan(CONTROL, partial(_start_control, internet, workplace)),
    )


async def _start_role(role: Role, workplace: Workplace) -> Running:
    use = RoleDependencies(
        clock=time.time,
        rng=random.SystemRandom(),
        disk=lambda: PosixDisk(workplace.store(role.name)),
        titles=DirectorySource(workplace.titles),
        pages=DirectorySource(pages_directory() / "player"),
        access_log=partial(workplace.append_log, role.name),
    )
    return await role.start(use)


async def _start_control(internet: Internet, workplace: Workplace) -> Running:
    snapshot = control_snapshot(Revision(1, internet.config))
    titles = catalogue(workplace.titles, next(iter(snapshot.sites)))
    return await start_control(snapshot, titles, clock=time.time, viewers=viewer_places(internet))


def viewer_places(internet: Internet) -> list[ViewerPlace]:
    """The lab's viewers, as the status page shows them."""
    places = {place.name: place for place in internet.config.places}
    return [
        ViewerPlace(name=each.name, client=str(each.client), place=place_schema(places[each.place]))
        for each in internet.lab.viewers
    ]


def catalogue(titles: Path, site: str) -> Sequence[CatalogueEntry]:
    """The titles in a folder, as the distribution called `site` has them."""
    return [
        CatalogueEntry(site, path.parent.name, Title.from_json(path.read_bytes()))
        for path in sorted(titles.glob(f"*/{TITLE_JSON}"))
    ]


class Console:
    """Obeys the orders that come in over the lab's console."""

    def __init__(self, internet: Internet, processes: ProcessGroup) -> None:
        self._internet = internet
        self._processes = processes

    async def obey(self, order: ConsoleCommand) -> Report:
        """Carry out one order; the report says what became of it."""
        name = str(order.get("name", ""))
        match order.get("do"):
            case "status":
                return {"ok": True, **self._status()}
            case ("kill" | "start") as verb if name not in self._processes.states:
                return {
                    "ok": False,
                    "said": f"there is no {name!r} to {verb}",
                    "names": list(self._processes.states),
                }
            case "kill":
                self._processes.kill(name)
                await self._processes.reach("down", name)
                return {"ok": True, "said": f"{name} was killed; nearcast lab start {name} brings it back"}
            case "start":
                self._processes.start(name)
                try:
                    await self._processes.reach("up", name)
                except (WorkerFailed, TimeoutError) as fault:
                    return {"ok": False, "said": str(fault)}
                return {"ok": True, "said": f"{name} is up"}
        return {"ok": False, "said": "the orders are status, kill and start"}

    def _status(self) -> Report:
        config, lab = self._internet.config, self._internet.lab
        router, ports = config.routers[0], config.ports
        return {
            "zone": config.cdn.zone,
            "resolver": [str(lab.resolver), lab.dns_port],
            "router": [str(router.addresses[0]), router.admin_port or ports.admin],
            "dns_port": lab.dns_port,
            "http_port": ports.http,
            "admin_port": ports.admin,
            "programs": {
                name: {"state": state, "pid": self._processes.pids[name]}
                for name, state in self._processes.states.items()
            },
        }
