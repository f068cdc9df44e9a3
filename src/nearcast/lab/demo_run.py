"""One viewer's part of the demo: watch, watch again, and gather what everybody involved has to tell.

Runs on any loop and knows only addresses, so stories show it in one process as well as in many.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any
from urllib.parse import quote, urlsplit

from nearcast.lab.steps import StepTold, five_steps
from nearcast.model import config as model
from nearcast.model.faults import UpstreamFault
from nearcast.model.snapshot import Snapshot
from nearcast.player.session import Viewer
from nearcast.player.viewing import Observer, Viewing
from nearcast.serve.http_client import HttpClient
from nearcast.wire.json_text import read_json

ADMIN_BYTES_MAX = 4 * 1024 * 1024
NAMED_SECONDS_MAX = 5.0
ASKED_AGAIN_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class DemoRun:
    """What came of one viewer: two viewings and the five steps of the first."""

    viewer: model.LabViewer
    steps: tuple[StepTold, ...]
    first: Viewing
    second: Viewing
    pop: str
    """The PoP that served the first viewing; `""` when nobody did."""


class DemoViewers:
    """Starts viewings in the internet of `snapshot`, as the viewers its configuration names."""

    def __init__(self, snapshot: Snapshot, clock: Callable[[], float], rng: random.Random) -> None:
        self.snapshot = snapshot
        self._clock = clock
        self._rng = rng

    def viewer(self, who: model.LabViewer) -> Viewer:
        """The program that watches for `who`: asks the lab's resolver, from an address of its own."""
        internet = self.snapshot.config.internet
        return Viewer(
            clock=self._clock,
            rng=self._rng,
            resolver=(str(internet.resolver), internet.dns_port),
            client_subnet=ip_network((who.client, 24 if who.client.version == 4 else 56), strict=False),
            local_address=str(who.address),
        )

    async def show(self, who: model.LabViewer, url: str, observer: Observer | None = None) -> DemoRun:
        """Let `who` watch `url` twice."""
        first = await self.viewer(who).watch(url, observer=observer)
        steps = five_steps(self.snapshot, who, first, await self.resolution(url), await self.decision(first))
        second = await self.viewer(who).watch(url)
        return DemoRun(who, steps, first, second, self.pop_of(first))

    def pop_of(self, viewing: Viewing) -> str:
        """The PoP of the first content server that gave something."""
        pops = {server.address: server.pop for server in self.snapshot.servers.values()}
        return next(
            (pops[each.server_address] for each in viewing.fetched if each.server_address in pops), ""
        )

    async def resolution(self, url: str) -> dict[str, Any] | None:
        """The resolver's record of the last time it was asked for the host of `url`."""
        internet = self.snapshot.config.internet
        target = f"/trace?name={quote(urlsplit(url).hostname or '')}&last=1"
        records = await self.admin(str(internet.resolver), target)
        return records[0] if records else None

    async def decision(self, viewing: Viewing) -> dict[str, Any] | None:
        """The router's record of the choice that led to `viewing`: the newest that named its server."""
        served = {each.server_address for each in viewing.fetched}
        for record in await self.admin(str(self.snapshot.config.cdn.router), "/decisions") or ():
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
            told = await self.admin(str(self.snapshot.config.cdn.router), "/conditions")
            if told and all(condition["healthy"] for condition in told["servers"].values()):
                return True
            await asyncio.sleep(ASKED_AGAIN_SECONDS)
        return False

    async def warm(self, site: str, targets: list[str]) -> Mapping[str, Any]:
        """Push `targets` to every content server (Netflix's way); the report of each by name."""
        order = json.dumps({"site": site, "targets": targets}).encode()
        reports = {}
        for server in self.snapshot.servers.values():
            reports[server.name] = await self.admin(server.address, "/warm", order)
        return reports

    async def admin(self, address: str, target: str, body: bytes = b"") -> Any:
        """Ask the administration of the program at `address`; None when it cannot be reached."""
        port = self.snapshot.config.internet.admin_port
        client = HttpClient()
        method = "POST" if body else "GET"
        try:
            async with client.request(
                method, (address, port), target, {"host": f"{address}:{port}"}, body
            ) as incoming:
                return read_json(await incoming.read(ADMIN_BYTES_MAX))
        except (UpstreamFault, ValueError):
            return None
        finally:
            await client.close()
