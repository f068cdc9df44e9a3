"""The edge as a running program: a listener for viewers, one for administration, a store between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import partial
from random import Random
from typing import Any

from nearcast.cache.disk import Disk
from nearcast.cache.policies.registry import policy_named
from nearcast.cache.store import Store
from nearcast.edge.access_log import AccessLog
from nearcast.edge.admin import Admin
from nearcast.edge.application import EdgeApplication
from nearcast.edge.context import EdgeContext
from nearcast.edge.counters import EdgeCounters, LoadMeter
from nearcast.edge.fill import FillDependencies
from nearcast.edge.fills import BUFFER_BYTES, Fills, passing_max
from nearcast.edge.hit_lane import HitLane
from nearcast.edge.shares import Shares
from nearcast.edge.upstream import Upstream
from nearcast.model.config import Serving
from nearcast.model.snapshot import EdgeSnapshot
from nearcast.serve.http_client import HttpClient
from nearcast.serve.http_exchange import Application
from nearcast.serve.http_listeners import HttpListeners
from nearcast.serve.http_server import Exchange, HttpListener, listen_http
from nearcast.serve.limits import origin_limits
from nearcast.serve.listeners import Listeners, at_port, listen_at


class Edge:
    """A running edge."""

    def __init__(
        self,
        snapshot: EdgeSnapshot,
        store: Store,
        clock: Callable[[], float],
        rng: Random,
        access_log: AccessLog | None,
    ) -> None:
        serving = snapshot.serving
        self.draining = False
        self.store = store
        self.counters = EdgeCounters(LoadMeter(asyncio.get_running_loop().time))
        self._clock = clock
        self._access_log = access_log
        self._client = HttpClient(origin_limits(serving, buffer_bytes=BUFFER_BYTES))
        self._upstream = Upstream(self._client, snapshot.server.host, rng)
        self._passing = Shares(passing_max(serving.unstored_bytes_max))
        use = FillDependencies(store, self._upstream, clock, self.counters.filled, self._passing)
        self._fills = Fills(use, serving.fills_max)
        self._closing: asyncio.Task[None] | None = None
        self._serve_by(snapshot)
        admin = Admin(
            lambda: self.application,
            lambda: self.draining,
            lambda: any(each.full for each in self._viewers),
            self.listeners,
        )
        self._viewers = HttpListeners(self.answer, serving, clock)
        self._admins = Listeners(partial(listen_http, admin, clock=clock))

    @property
    def listener(self) -> HttpListener:
        """The viewers' listener, at the first address."""
        return self._viewers.first

    @property
    def port(self) -> int:
        """The viewers' port."""
        return self.listener.port

    async def swap(self, snapshot: EdgeSnapshot) -> None:
        """Serve by `snapshot` from the next request on; requests and fills under way end as they began.

        Where it names other addresses or ports, those are opened before the old ones are closed. OSError
        when one cannot be bound: then everything stays as it was.
        """
        await self.listen(snapshot)
        self._obey(snapshot.serving)
        self._upstream.host = snapshot.server.host
        self._serve_by(snapshot)
        self.store.resize(snapshot.server.cache_bytes_max)

    async def listen(self, snapshot: EdgeSnapshot) -> None:
        """Listen where `snapshot` says. OSError when an address cannot be bound."""
        server = snapshot.server
        await listen_at(
            (self._viewers, at_port(server.listen, server.http_port)),
            (self._admins, at_port(server.listen, server.admin_port)),
        )

    async def drain(self, seconds: float) -> None:
        """Finish what is under way. The administration goes last: it says that we are draining."""
        self.draining = True
        await self._viewers.drain(seconds)
        await self._fills.cancel()
        await self._client.close()
        if self._access_log is not None:
            self._access_log.flush()
        await self._admins.drain(0)

    def abort(self) -> None:
        self.draining = True
        self._viewers.abort()
        self._admins.abort()
        self._fills.abort()
        if self._access_log is not None:
            self._access_log.flush()
        self._closing = asyncio.get_running_loop().create_task(self._client.close())

    def listeners(self) -> Mapping[str, Iterable[HttpListener]]:
        """By the names they have in the metrics."""
        return {"http": self._viewers, "admin": self._admins}

    def answer(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        """Have the present Snapshot's application answer."""
        return self._answer(exchange)

    def _obey(self, serving: Serving) -> None:
        """Other limits and deadlines from now on."""
        self._viewers.grant(serving)
        self._client.limits = origin_limits(serving, buffer_bytes=BUFFER_BYTES)
        self._fills.shares.places_max = serving.fills_max
        self._passing.places_max = passing_max(serving.unstored_bytes_max)

    def _serve_by(self, snapshot: EdgeSnapshot) -> None:
        context = EdgeContext(
            snapshot,
            store=self.store,
            fills=self._fills,
            passing=self._passing,
            upstream=self._upstream,
            counters=self.counters,
            clock=self._clock,
            access_log=self._access_log,
        )
        self.application = EdgeApplication(context)
        self._answer: Application = HitLane(self.application) if snapshot.serving.lanes else self.application


async def start_edge(
    snapshot: EdgeSnapshot,
    *,
    disk: Disk,
    clock: Callable[[], float],
    rng: Random,
    access_log: Callable[[bytes], object] | None = None,
) -> Edge:
    """Start the content server of `snapshot` on its addresses and ports, with its limits.

    `clock` gives wall time (Unix seconds). `access_log` appends lines to a log (`access_log.py` says what is
    in them); without it none is kept. OSError when a port cannot be bound.
    """
    serving = snapshot.serving
    policy = policy_named(serving.eviction)
    store = Store(disk, snapshot.server.cache_bytes_max, policy=policy, sync=serving.sync)
    store.open()
    log = None if access_log is None else AccessLog(access_log)
    edge = Edge(snapshot, store, clock, rng, log)
    await edge.listen(snapshot)
    return edge
