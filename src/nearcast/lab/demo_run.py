"""One viewer's part of the demo: watch, watch again, and gather what everybody involved has to tell.

Runs on any loop and knows only addresses, so stories show it in one process as well as in many.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from nearcast.lab.config import Internet, LabViewer
from nearcast.lab.steps import StepTold, five_steps
from nearcast.model.faults import UpstreamFault
from nearcast.model.snapshot import Revision, control_snapshot
from nearcast.player.session import Viewer
from nearcast.player.viewing import Observer, Viewing
from nearcast.serve.http_client import HttpClient
from nearcast.wire.addresses import authority_text, client_subnet
from nearcast.wire.json_text import read_json

ADMIN_BYTES_MAX = 4 * 1024 * 1024
NAMED_SECONDS_MAX = 5.0
ASKED_AGAIN_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class DemoRun:
    """What came of one viewer: two viewings and the five steps of the first."""

    viewer: LabViewer
    steps: tuple[StepTold, ...]
    first: Viewing
    second: Viewing
    pop: str
    """The PoP that served the first viewing; `""` when nobody did."""


class DemoViewers:
    """Starts viewings in `internet`, as the viewers its lab names."""

    def __init__(self, internet: Internet, clock: Callable[[], float], rng: random.Random) -> None:
        self.internet = internet
        self.fleet = control_snapshot(Revision(1, internet.config))
        self._router = next(iter(self.fleet.routers.values()))
        self._clock = clock
        self._rng = rng

    def viewer(self, who: LabViewer) -> Viewer:
        """The program that watches for `who`: asks the lab's resolver, from an address of its own."""
        lab = self.internet.lab
        return Viewer(
            clock=self._clock,
            rng=self._rng,
            resolver=(str(lab.resolver), lab.dns_port),
            client_subnet=client_subnet(who.client),
            local_address=str(who.address),
        )

    async def show(self, who: LabViewer, url: str, observer: Observer | None = None) -> DemoRun:
        """Let `who` watch `url` twice."""
        first = await self.viewer(who).watch(url, observer=observer)
        steps = five_steps(self.internet, who, first, await self.resolution(url), await self.decision(first))
        second = await self.viewer(who).watch(url)
        return DemoRun(who, steps, first, second, self.pop_of(first))

    def pop_of(self, viewing: Viewing) -> str:
        """The PoP of the first content server that gave something."""
        pops = {server.address: server.pop for server in self.fleet.servers.values()}
        return next(
            (pops[each.server_address] for each in viewing.fetched if each.server_address in pops), ""
        )

    async def resolution(self, url: str) -> dict[str, Any] | None:
        """The resolver's record of the last time it was asked for the host of `url`."""
        lab = self.internet.lab
        target = f"/trace?name={quote(urlsplit(url).hostname or '')}&last=1"
        records = await self.admin((str(lab.resolver), lab.admin_port), target)
        return records[0] if records else None

    async def decision(self, viewing: Viewing) -> dict[str, Any] | None:
        """The router's record of the choice that led to `viewing`: the newest that named its server."""
        served = {each.server_address for each in viewing.fetched}
        for record in await self.admin(self.router_admin, "/decisions") or ():
            if served & {server["address"] for server in record["servers"]}:
                return dict(record)
        return None

    async def all_named(self) -> bool:
        """Wait until the router would name every content server; False when it does not come to that.

        Programs that start together are probed before they listen, and one that failed twice is named
        again only after two good probes: without waiting, chance would decide who serves the first viewers.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + NAMED_SECONDS_MAX
        while loop.time() < deadline:
            told = await self.admin(self.router_admin, "/conditions")
            if told and all(condition["healthy"] for condition in told["servers"].values()):
                return True
            await asyncio.sleep(ASKED_AGAIN_SECONDS)
        return False

    async def warm(self, site: str, targets: list[str]) -> Mapping[str, Any]:
        """Push `targets` to every content server (Netflix's way); the report of each by name."""
        order = json.dumps({"site": site, "targets": targets}).encode()
        reports = {}
        for server in self.fleet.servers.values():
            reports[server.name] = await self.admin((server.address, server.admin_port), "/warm", order)
        return reports

    @property
    def router_admin(self) -> tuple[str, int]:
        """Where the router is administered."""
        return self._router.address, self._router.admin_port

    async def admin(self, address: tuple[str, int], target: str, body: bytes = b"") -> Any:
        """Ask the administration of the program at `address`; None when it cannot be reached."""
        client = HttpClient()
        method = "POST" if body else "GET"
        try:
            async with client.request(
                method, address, target, {"host": authority_text(*address)}, body
            ) as incoming:
                return read_json(await incoming.read(ADMIN_BYTES_MAX))
        except (UpstreamFault, ValueError):
            return None
        finally:
            await client.close()
