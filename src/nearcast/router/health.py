"""The prober: how the router learns which content servers may be named, and how loaded they are.

Every `probe_seconds` each server is asked GET /health on its administration port. So many failures in
a row take it out of the answers, so many good probes in a row bring it back (`Health`); one that says
it is draining, or full, is taken out at once, since it has said so itself. Connection refused, a timeout,
a status other than 200 and a body that is not the expected JSON are all failures. Every probe comes over
a connection of its own: one kept open would go on where newcomers find no room.

What was learnt becomes new, numbered `Conditions`, and only when something changed.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from nearcast.model.config import Health
from nearcast.model.faults import UpstreamFault
from nearcast.model.snapshot import RouterSnapshot, Server
from nearcast.selection.conditions import Condition, Conditions
from nearcast.serve.deadline import Within
from nearcast.serve.http_client import ClientLimits, HttpClient
from nearcast.wire.json_text import read_json

HEALTH_BYTES_MAX = 64 * 1024
LOAD_STEP = 0.01  # loads are rounded to it: less is no reason to decide anew


@dataclass(slots=True)
class Record:
    """What the probes of one server have shown so far. A server nobody has probed yet counts as up."""

    up: bool = True
    failures: int = 0  # in a row
    successes: int = 0  # in a row
    load: float = 0.0  # 0 … 1 of capacity
    why: str = "not probed yet"

    def succeeded(self, load: float, health: Health) -> None:
        self.failures = 0
        self.successes += 1
        self.load = round(load / LOAD_STEP) * LOAD_STEP
        if self.up or self.successes >= health.successes_until_up:
            self.up, self.why = True, "answers its probes"
        else:
            self.why = f"{self.successes} of {health.successes_until_up} good probes"

    def failed(self, why: str, health: Health) -> None:
        self.successes = 0
        self.failures += 1
        if self.failures >= health.failures_until_down:
            self.up = False
        self.why = why

    def withdrew(self, why: str) -> None:
        self.up, self.failures, self.successes, self.why = False, 0, 0, why

    def condition(self) -> Condition:
        return Condition(self.up, self.load, self.why)


class Prober:
    """Probes the servers of one Snapshot until it is stopped; calls `changed` with each new Conditions."""

    def __init__(
        self,
        snapshot: RouterSnapshot,
        conditions: Conditions,
        changed: Callable[[Conditions], None],
        *,
        rng: random.Random,
        probes: Counter[tuple[str, str]],
    ) -> None:
        """`probes` counts by (server, "good" or "failed")."""
        self._health = snapshot.health
        self._changed = changed
        self._rng = rng
        self._probes = probes
        self._records = {name: _resumed(conditions, name) for name in snapshot.servers}
        known = {name: conditions.of(name) for name in snapshot.servers}
        self._told = known == conditions.servers
        self._conditions = conditions if self._told else Conditions(conditions.number, known)
        seconds = self._health.probe_timeout_seconds
        self._client = HttpClient(
            ClientLimits(
                connect_seconds=seconds, head_seconds=seconds, stall_seconds=seconds, kept_per_address_max=0
            )
        )
        self._tasks = [asyncio.create_task(self._watch(server)) for server in snapshot.servers.values()]

    async def stop(self) -> None:
        """End all probes."""
        self.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()

    def abort(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _watch(self, server: Server) -> None:
        loop = asyncio.get_running_loop()
        # The first probes go out together, so that the first answers rest on them; then they spread.
        due = loop.time() - self._rng.random() * self._health.probe_seconds
        while True:
            await self._probe(server)
            due = max(due + self._health.probe_seconds, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _probe(self, server: Server) -> None:
        record = self._records[server.name]
        try:
            async with Within(self._health.probe_timeout_seconds):
                load, withdrawn = await self._ask(server)
        except (UpstreamFault, TimeoutError, ValueError) as fault:
            record.failed(_said(fault), self._health)
            self._probes[server.name, "failed"] += 1
        else:
            self._probes[server.name, "good"] += 1
            if withdrawn:
                record.withdrew(withdrawn)
            else:
                record.succeeded(load, self._health)
        self._tell(server.name)

    async def _ask(self, server: Server) -> tuple[float, str]:
        """What `read_health` makes of the server's page. ValueError when there is none."""
        address = (server.address, server.admin_port)
        async with self._client.request("GET", address, "/health", {"host": server.host}) as incoming:
            body = await incoming.read(HEALTH_BYTES_MAX)
            if incoming.head.status != 200:
                raise ValueError(f"status {incoming.head.status}")
        return read_health(body)

    def _tell(self, server: str) -> None:
        """Make new Conditions when the record of `server` says something new."""
        now = self._records[server].condition()
        if now != self._conditions.of(server) or not self._told:
            self._told = True
            self._conditions = self._conditions.with_server(server, now)
            self._changed(self._conditions)


def read_health(body: bytes) -> tuple[float, str]:
    """The load on a health page, and why no more viewers should come ("" when they should).

    The page is like `{"load": 0.03, "draining": false, "full": false}`. Raises ValueError.
    """
    try:
        page = read_json(body)
    except ValueError as fault:
        raise ValueError(f"its health page is not JSON: {fault}") from None
    load = page.get("load") if isinstance(page, dict) else None
    if not isinstance(load, int | float) or isinstance(load, bool) or not 0 <= load < 1e6:
        raise ValueError("its health page names no load")
    withdrawn = "drains" if page.get("draining") is True else "is full" if page.get("full") is True else ""
    return min(float(load), 1.0), withdrawn


def _resumed(conditions: Conditions, name: str) -> Record:
    """A server that both the old and the new Snapshot have keeps its record."""
    known = conditions.of(name)
    return Record(up=known.healthy, load=known.load, why=known.why)


def _said(fault: Exception) -> str:
    if isinstance(fault, UpstreamFault):
        return fault.sentence
    if isinstance(fault, TimeoutError):
        return "did not answer in time"
    return str(fault)
