"""The edge as a running program: a listener for viewers, one for administration, a store between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import partial
from random import Random
from typing import Any

from nearcast.cache.disk import Disk
from nearcast.cache.eviction import EvictionPolicy
from nearcast.cache.store import Store
from nearcast.edge.admin import Admin
from nearcast.edge.application import Application
from nearcast.edge.counters import Counters, LoadMeter
from nearcast.edge.fill import FillDependencies
from nearcast.edge.fills import Fills
from nearcast.edge.upstream import Upstream
from nearcast.model.snapshot import EdgeSnapshot
from nearcast.serve.http_client import ClientLimits, HttpClient
from nearcast.serve.http_server import Exchange, HttpListener, listen_http
from nearcast.serve.limits import HttpLimits, StreamLimits
from nearcast.serve.listeners import Listeners, at_port, listen_at

_NO_BODY = HttpLimits(body_bytes_max=64 * 1024)  # nothing that is answered here needs a body


class Edge:
    """A running edge."""

    def __init__(
        self,
        snapshot: EdgeSnapshot,
        store: Store,
        client: HttpClient,
        clock: Callable[[], float],
        rng: Random,
        stream_limits: StreamLimits | None,
    ) -> None:
        self.draining = False
        self._client = client
        self._store = store
        self._clock = clock
        self._counters = Counters(LoadMeter(asyncio.get_running_loop().time))
        self._upstream = Upstream(client, snapshot.server.host, rng)
        self._fills = Fills(FillDependencies(store, self._upstream, clock, self._counters.filled))
        self._closing: asyncio.Task[None] | None = None
        self.application = self._compiled(snapshot)
        admin = Admin(
            lambda: self.application,
            lambda: self.draining,
            lambda: any(each.full for each in self._viewers),
            self.listeners,
        )
        self._viewers = Listeners(
            partial(listen_http, self.answer, clock=clock, limits=_NO_BODY, stream_limits=stream_limits)
        )
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
        self._upstream.host = snapshot.server.host
        self.application = self._compiled(snapshot)
        self._store.resize(snapshot.server.cache_bytes_max)

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
        await self._admins.drain(0)

    def abort(self) -> None:
        self.draining = True
        self._viewers.abort()
        self._admins.abort()
        self._fills.abort()
        self._closing = asyncio.get_running_loop().create_task(self._client.close())

    def listeners(self) -> Mapping[str, Iterable[HttpListener]]:
        """By the names they have in the metrics."""
        return {"http": self._viewers, "admin": self._admins}

    def answer(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        """Have the present Snapshot's application answer."""
        return self.application(exchange)

    def _compiled(self, snapshot: EdgeSnapshot) -> Application:
        return Application(
            snapshot,
            store=self._store,
            fills=self._fills,
            upstream=self._upstream,
            counters=self._counters,
            clock=self._clock,
        )


async def start_edge(
    snapshot: EdgeSnapshot,
    *,
    disk: Disk,
    clock: Callable[[], float],
    rng: Random,
    policy: EvictionPolicy | None = None,
    sync: bool = False,
    client_limits: ClientLimits | None = None,
    stream_limits: StreamLimits | None = None,
) -> Edge:
    """Start the content server of `snapshot` on its addresses and ports.

    `clock` gives wall time (Unix seconds). `policy` evicts (default LRU); `sync` makes stored objects
    survive a power loss, at the price of a disk sync per object. OSError when a port cannot be bound.
    """
    store = Store(disk, snapshot.server.cache_bytes_max, policy=policy, sync=sync)
    store.open()
    edge = Edge(snapshot, store, HttpClient(client_limits), clock, rng, stream_limits)
    await edge.listen(snapshot)
    return edge
